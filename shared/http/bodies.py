"""Bodies of JSON whose values have the types of JSON that the description names."""

import json
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, GetCoreSchemaHandler, WrapValidator

M = TypeVar("M", bound=BaseModel)
TOO_DEEP = "[" * 1000
"""What the parser refuses with that reason."""


def read_json(model: type[M], value: object) -> M:
    """Return what a value of JSON says, in which no other type stands for a number or for true and false: neither
    `false` nor "0" is the integer 0. 1.0 is the integer 1, as for JSON Schema (draft 2020-12, 4.2.3).

    Raises:
        pydantic.ValidationError: it is not as the model describes it.
    """
    try:
        text = json.dumps(_with_integers(value))
    except RecursionError:
        text = TOO_DEEP
    return model.model_validate_json(text, strict=True)


class _OfJson:
    """Has a model read by `read_json`. The framework alone would let many types stand for others."""

    def __get_pydantic_core_schema__(self, source: type[BaseModel], handler: GetCoreSchemaHandler) -> Any:
        def read(value: object, refuse: Callable[[object], Any]) -> Any:
            # What is no object stays with the framework: bytes, if the Content-Type is not that of JSON.
            return read_json(source, value) if isinstance(value, dict) else refuse(value)

        return WrapValidator(read).__get_pydantic_core_schema__(source, handler)


JsonBody = Annotated[M, _OfJson()]
"""The body of a request, for the signature of a route: `JsonBody[LeaseBody]`."""


def _with_integers(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_with_integers(each) for each in value]
    if isinstance(value, dict):
        return {key: _with_integers(each) for key, each in value.items()}
    return value
