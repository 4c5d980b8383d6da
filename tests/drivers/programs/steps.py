"""steps.py: what the programs in Python share: follow() does what steps.tsv says, by a driver."""
import array
import threading


class Driver:
    """A connection as DB-API has it. A program replaces what its driver does another way."""

    def __init__(self, connect, failure):
        self.connect = connect
        self.failure = failure
        self.db, title = connect()
        print(title)

    def run(self, sql):
        self.db.execute(sql)

    def rows(self, sql, *values):
        return self.db.execute(sql, values).fetchall()

    def interrupt(self):
        self.db.interrupt()

    def stop(self, sql):
        """Another thread interrupts it, until it is over."""
        over = threading.Event()

        def interrupt():
            while not over.wait(.1):
                self.interrupt()

        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            self.rows(sql)
        finally:
            over.set()
            thread.join()

    def pool(self, size, sql):
        connections = [self.connect()[0] for _ in range(size)]
        return [connection.execute(sql).fetchone() for connection in connections]

    def message(self, error):
        return str(error)


def line_of(row):
    return "|".join(map(str, row))


def floats_of(row):
    return " ".join("%g" % number for number in array.array("f", row[0]))


def number_of(value):
    return float(value) if "." in value else int(value)


def vector_of(values):
    floats = [float(value) for value in values.split()]
    VECTOR
    return vector


def failed(driver, sql):
    try:
        driver.rows(sql)
        return "no error"
    except driver.failure as error:
        return driver.message(error)


def step(driver, word, *values):
    """The lines that it prints."""
    sql = values[-1]
    if word == "run":
        driver.run(sql)
    elif word == "rows" or word == "text":
        return map(line_of, driver.rows(sql, *values[:-1]))
    elif word == "number":
        return map(line_of, driver.rows(sql, number_of(values[0])))
    elif word == "vector":
        return map(floats_of, driver.rows(sql, vector_of(values[0])))
    elif word == "fail":
        return ["error: " + failed(driver, sql)]
    elif word == "pool":
        return map(line_of, driver.pool(int(values[0]), sql))
    elif word == "stop":
        try:
            driver.stop(sql)
        except driver.failure as error:
            return ["stopped"] if "interrupt" in str(error).lower() else [str(error)]
    return []


def follow(driver):
    with open("steps.tsv", encoding="utf-8") as file:
        for line in file:
            for text in step(driver, *line.rstrip("\n").split("\t")):
                print(text, flush=True)
