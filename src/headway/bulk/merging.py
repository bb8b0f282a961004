"""Columns of many parts as those of one table: with types that hold what every part has."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from headway.tables.form import Form
from headway.tables.rows import AS_JSON, is_json, values_of

if TYPE_CHECKING:
    import pyarrow as pa


def merged(schemas: "Iterable[pa.Schema]") -> "pa.Schema":
    """A schema with every name, in the order in which they come, whose types hold the values of all."""
    import pyarrow as pa

    found: dict[str, Any] = {}
    for schema in schemas:
        for field in schema:
            found[field.name] = _common(found[field.name], field) if field.name in found else field
    return pa.schema(list(found.values()))


def _common(one: "pa.Field", other: "pa.Field") -> "pa.Field":
    """A field for the values of both; JSON texts where there is no other type for them."""
    import pyarrow as pa

    if one.equals(other, check_metadata=True) or pa.types.is_null(other.type):
        return one
    if pa.types.is_null(one.type):
        return other
    if not is_json(one) and not is_json(other):
        try:
            return pa.unify_schemas([pa.schema([one]), pa.schema([other])], promote_options="permissive").field(0)
        except (pa.ArrowTypeError, pa.ArrowInvalid):
            pass
    return pa.field(one.name, pa.string(), metadata=AS_JSON)


def fitted_batch(batch: "pa.RecordBatch", schema: "pa.Schema") -> "pa.RecordBatch":
    """The batch with exactly the columns of the schema; what it lacks is null."""
    import pyarrow as pa

    places = {name: place for place, name in enumerate(batch.schema.names)}
    arrays = [
        _fitted(batch.column(places[target.name]), batch.schema.field(places[target.name]), target)
        if target.name in places
        else pa.nulls(batch.num_rows, target.type)
        for target in schema
    ]
    if not arrays:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * batch.num_rows, pa.struct([])))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _fitted(array: Any, field: "pa.Field", target: "pa.Field") -> Any:
    """The values of a column as another field has them."""
    import pyarrow as pa

    if array.type == target.type and is_json(field) == is_json(target):
        return array
    if is_json(target):
        return pa.array(
            [None if value is None else json.dumps(value, default=str) for value in values_of(array, field)], pa.string()
        )
    if pa.types.is_string(target.type) and not pa.types.is_null(field.type):
        return pa.array([_text(value) for value in values_of(array, field)], pa.string())
    if pa.types.is_nested(target.type) and not pa.types.is_null(field.type):
        return pa.array(array.to_pylist(), target.type)
    return array.cast(target.type, safe=False)


def _text(value: Any) -> str | None:
    """A value as text: as it stands where it is one, else as JSON."""
    if value is None:
        return None
    return readable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def readable(text: str) -> str:
    """A text without halves of surrogate pairs, which no file in UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def written(schema: "pa.Schema", form: Form) -> "pa.Schema":
    """The schema as a form of table can hold it: with texts where it has no type for the values."""
    import pyarrow as pa

    if form.name == "jsonl":  # it holds whatever came from JSON
        return schema
    return pa.schema([pa.field(field.name, pa.string() if _only_as_text(field, form) else field.type) for field in schema])


def _only_as_text(field: "pa.Field", form: Form) -> bool:
    import pyarrow as pa

    deep = pa.types.is_nested(field.type) or pa.types.is_binary(field.type) or pa.types.is_duration(field.type)
    return is_json(field) or (form.flat and deep) or _has_empty_record(field.type)


def _has_empty_record(kind: "pa.DataType") -> bool:
    """Whether there are records without a field somewhere inside, which Parquet cannot hold."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return kind.num_fields == 0 or any(_has_empty_record(part.type) for part in kind)
    return pa.types.is_list(kind) and _has_empty_record(kind.value_type)
