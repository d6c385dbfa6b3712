"""The examples of the API's description. They tell one story: a picture is uploaded and labelled, a model learns it,
and an operator commands the gate."""
