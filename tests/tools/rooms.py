"""rooms.py: what ext/rooms says, and what does not keep to it."""
import glob
import os
import re

SYSTEM_HEADERS = set(
    "assert ctype errno fenv float inttypes limits locale math setjmp signal stdalign stdarg "
    "stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings threads time wchar "
    "pthread unistd fcntl sys/mman sys/stat sys/types sys/time dirent poll cpuid immintrin "
    "arm_neon sys/auxv sys/sysctl sys/syscall sched windows process".split()
)
LIST = "ext/rooms"


class Rooms:
    def __init__(self, root):
        self.root = root
        self.lines = {}  # room -> line of the list
        self.words = {}  # room -> the rooms and <headers> that it may include
        self.below = {}  # room -> itself and, transitively, the rooms that it may include
        self.problems = []  # (line, what)
        with open(os.path.join(root, LIST), encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                line = line.split("#")[0].strip()
                if line:
                    self.read(number, line)

    def read(self, number, line):
        match = re.fullmatch(r"([a-z_/]+):(.*)", line)
        if not match or match.group(1) in self.words:
            self.problems.append((number, f"{line!r} is no line of a room, or its second"))
            return
        room, words = match.group(1), match.group(2).split()
        for word in words:
            owners = [name for name in self.words if word[0] == "<" and word in self.words[name]]
            if word[0] not in "<-" and word not in self.words:
                self.problems.append((number, f"{room} includes {word}, which no line above is of"))
            elif owners:
                self.problems.append((number, f"{word} is {owners[0]}'s alone"))
        self.lines[room] = number
        self.words[room] = {word for word in words if not word.startswith("-")}
        self.below[room] = {room}.union(*(self.below.get(word, ()) for word in words))

    def of(self, path):
        """The room of room/file, ext/room/file or tests/unit/room/file; "" if no line is of it."""
        folder = os.path.dirname(re.sub(r"^(ext|tests/unit)/", "", path))
        return folder if folder in self.words else ""

    def owner(self, header):
        return next((room for room in self.words if header in self.words[room]), None)

    # -- checks ----------------------------------------------------------------------------------

    def check_list(self, sources):
        """The list itself: each room has a line, each line a room, each word is needed."""
        yield from self.problems
        used = {room: set() for room in self.words}
        for source in sources:
            room = self.of(source.path)
            if room:
                used[room] |= {self.of(name) if kind == '"' else f"<{name}>"
                               for _, kind, name in source.includes()}
        for room, number in self.lines.items():
            if not glob.glob(os.path.join(self.root, "ext", room, "*.c")):
                yield number, f"there is no ext/{room}/ with a .c file"
            for word in sorted(self.words[room] - used[room]):
                yield number, f"{room} does not include {word}"

    def check_source(self, source):
        """Includes of a file of ext/: of its room and of what its room's line lists."""
        room = self.of(source.path)
        if not room:
            yield 1, f"{os.path.dirname(source.path)}/ has no line in {LIST}"
            return
        for number, kind, name in source.includes():
            included = self.of(name) if kind == '"' else f"<{name}>"
            if kind == '"' and not included:
                yield number, f'"{name}" does not begin with a room'
            elif included == room or included in self.words[room]:
                continue
            elif kind == '"':
                yield number, f"{room}/ does not include {included}/ ({LIST})"
            elif self.owner(included):
                yield number, f"{name} belongs to {self.owner(included)}/ alone"
            elif name[:-2] not in SYSTEM_HEADERS:
                yield number, f"<{name}> is not a header that this project uses"

    def check_test(self, source):
        """Includes of a unit test: of its room and of what is below, which is what it links."""
        room = self.of(source.path)
        if not source.path.startswith("tests/unit/"):
            return
        if not room:
            yield 1, f"{os.path.dirname(source.path)}/ is of no room"
            return
        for number, kind, name in source.includes():
            is_ours = os.path.exists(os.path.join(self.root, "ext", name))
            if kind == '"' and is_ours and self.of(name) not in self.below[room]:
                yield number, f"{self.of(name)}/ is not below {room}/, of which this is a test"
