"""Many rows into a table or out of a query by COPY, past the ORM, which takes several times as long."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from psycopg import sql


def new_ids(model: type[models.Model], count: int) -> list[int]:
    """Ids that nobody else gets, in rising order."""
    if not count:
        return []
    with connection.cursor() as cursor:
        sequence = [model._meta.db_table, model._meta.pk.column]
        cursor.execute(
            "SELECT nextval(name) FROM (SELECT pg_get_serial_sequence(%s, %s)::regclass AS name OFFSET 0) sequence,"
            " generate_series(1, %s)",
            [*sequence, count],
        )
        return sorted(pk for (pk,) in cursor.fetchall())


class _Listed(models.Func):
    template = "(SELECT unnest(%(expressions)s))"


def listed(values: Iterable[Any], field: models.Field | None = None) -> models.Func:
    """For `name__in`: all of the values as one parameter, where a thousand parameters take longer to put together than
    to look for."""
    array = ArrayField(field or models.BigIntegerField())
    return _Listed(models.Value(list(values), output_field=array))


def copy_in(model: type[models.Model], fields: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """`rows`: a value for each of `fields`, as the database takes it. Fields that are left out must have a default
    there, or be allowed to be null; constraints hold, signals and save() do not run."""
    columns = [sql.Identifier(str(model._meta.get_field(name).column)) for name in fields]  # type: ignore[union-attr]
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(model._meta.db_table), sql.SQL(", ").join(columns)
    )
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def copy_out(rows: models.QuerySet[Any, tuple[Any, ...]], types: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """What `values_list` asks for, one row in memory at a time; `types` are those of Postgres, a column each.

    The database goes on while a row is worked on, where a cursor waits to be asked for more. Until the last row, or
    until this is closed, the connection does nothing else."""
    query, values = rows.query.sql_with_params()
    statement = f"COPY ({query}) TO STDOUT (FORMAT BINARY)"
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(statement, values) as copy:
        copy.set_types(types)
        yield from copy.rows()


def tell_planner(*filled: type[models.Model]) -> None:
    """Of many new rows. Else, until Postgres looks by itself a minute later, it takes the tables for nearly empty, and
    reads them whole for each row that it joins: fifty times as slow at ten thousand rankings."""
    tables = sql.SQL(", ").join(sql.Identifier(model._meta.db_table) for model in filled)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("ANALYZE {}").format(tables))
