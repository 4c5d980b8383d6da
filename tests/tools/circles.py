"""circles.py: files that need each other, found in the text, so that no build is needed.

A file uses another where its code names a function or a variable that the other defines and does
not hide: a call, an address in a table, a macro's body. What a header only declares is no use. A
static function of a header is seen by the files that include the header. Names that a macro pastes
together are not seen.
"""
import re

# Neither a member nor the name of a type.
IDENTIFIER = re.compile(
    r"(?<![\w.])(?<!->)(?<!\bstruct )(?<!\benum )(?<!\bunion )[A-Za-z_]\w*")


class Uses:
    """edges[a][b]: the names of b that the file a uses."""

    def __init__(self, sources):
        self.edges = {}
        owners, static = definers(sources)
        for source in sources:
            own = {name for name, _, _ in source.definitions()}
            included = {"ext/" + name for _, kind, name in source.includes() if kind == '"'}
            for name in set(IDENTIFIER.findall(used_text(source))) - own:
                header = next(iter(static.get(name, set()) & included), None)
                owner = owners.get(name, header)
                if owner and owner != source.path:
                    edge = self.edges.setdefault(source.path, {})
                    edge.setdefault(owner, set()).add(name)

    def circles(self):
        """(files, sentence) of each set of files that all reach each other."""
        for circle in components(self.edges):
            yield circle, "; ".join(
                f"{user} uses {', '.join(sorted(self.edges[user][used]))} of {used}"
                for user in circle for used in circle if used in self.edges.get(user, {}))


def definers(sources):
    """name -> file of what every file sees; name -> files of headers' static functions."""
    owners, static = {}, {}
    for source in sources:
        for name, seen, _ in source.definitions():
            if source.path.endswith(".h"):
                static.setdefault(name, set()).add(source.path)
            elif seen:
                owners[name] = source.path
    return owners, static


def used_text(source):
    if source.path.endswith(".c"):
        return source.stripped
    return " ".join(body for _, _, body in source.definitions()) + source.macro_bodies()


def header_circles(sources):
    """Headers that include each other, or themselves."""
    headers = {source.path for source in sources if source.path.endswith(".h")}
    edges = {source.path: {"ext/" + name: set() for _, kind, name in source.includes()
                           if kind == '"' and "ext/" + name in headers}
             for source in sources if source.path in headers}
    for circle in components(edges):
        yield circle, " and ".join(circle) + " include each other"


def components(edges):
    """Sorted lists of nodes that reach each other: of more than one node, or of one that has
    itself.

    Tarjan, Depth-first search and linear graph algorithms, 1972; without recursion.
    """
    index, low, stack, found = {}, {}, [], []
    for start in sorted(edges):
        if start in index:
            continue
        path = [(start, iter(sorted(edges.get(start, ()))))]
        index[start] = low[start] = len(index)
        stack.append(start)
        while path:
            node, rest = path[-1]
            following = next(rest, None)
            if following is None:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[node])
                if low[node] == index[node]:
                    place = stack.index(node)
                    members, stack[place:] = sorted(stack[place:]), []
                    if len(members) > 1 or node in edges.get(node, ()):
                        found.append(members)
            elif following not in index:
                index[following] = low[following] = len(index)
                stack.append(following)
                path.append((following, iter(sorted(edges.get(following, ())))))
            elif following in stack:
                low[node] = min(low[node], index[following])
    return sorted(found)
