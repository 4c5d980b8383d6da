"""aiosqlite: each connection has a thread of its own."""
import asyncio

from aiosqlite import Error

import steps


async def connect():
    SNIPPET
    return db, title


class Awaited(steps.Driver):
    def __init__(self, runner):
        self.wait = runner.run
        super().__init__(lambda: self.wait(connect()), Error)

    def run(self, sql):
        self.wait(self.db.execute(sql))

    def rows(self, sql, *values):
        return self.wait(self.db.execute_fetchall(sql, values))

    def stop(self, sql):
        self.wait(self.interrupted(asyncio.ensure_future, sql))

    async def interrupted(self, start, sql):
        work = start(self.db.execute(sql))
        while not work.done():
            await asyncio.sleep(.1)
            await self.db.interrupt()
        await work

    def pool(self, size, sql):
        self.more = [self.connect()[0] for _ in range(size)]
        return [self.wait(db.execute_fetchall(sql))[0] for db in self.more]

    def close(self):
        for db in [self.db, *self.more]:
            self.wait(db.close())


with asyncio.Runner() as runner:
    driver = Awaited(runner)
    steps.follow(driver)
    driver.close()
