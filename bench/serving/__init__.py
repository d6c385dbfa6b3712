"""How much of what the processor can answer in process is answered over HTTP."""
