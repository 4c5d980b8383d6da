"""SQLAlchemy: each step is a transaction on a connection of its pool."""
import contextlib

from sqlalchemy.exc import DBAPIError

import steps


def connect():
    SNIPPET
    return engine, title


class Alchemy(steps.Driver):
    def __init__(self):
        super().__init__(connect, DBAPIError)
        self.running = None

    def run(self, sql):
        with self.db.begin() as connection:
            connection.exec_driver_sql(sql)

    def rows(self, sql, *values):
        with self.db.begin() as connection:
            self.running = connection.connection.dbapi_connection
            return connection.exec_driver_sql(sql, values).fetchall()

    def interrupt(self):
        self.running.interrupt()

    def pool(self, size, sql):
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(self.db.connect()) for _ in range(size)]
            return [connection.exec_driver_sql(sql).fetchone() for connection in connections]

    def message(self, error):
        return str(error.orig)


steps.follow(Alchemy())
