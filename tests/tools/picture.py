"""picture.py: draws what `make demo` prints, as an SVG for the README.

    make -s dataset demo | python3 tests/tools/picture.py >sql/demo.svg

Left the rows that were retrieved, right those that were kept, a line from each old place to the
new one. It follows the reader's light or dark colours and needs no font or file from elsewhere.
tests/drivers/test_documents.py compares sql/demo.svg with what this script draws.
"""
import re
import sys
import xml.sax.saxutils

WIDTH, TOP, ROW = 900, 84, 17          # of the whole, of the first row, of a retrieved row
KEPT_ROW = 50                          # of a reranked row
TITLE, BAR, BAR_WIDTH, KEPT = 48, 336, 70, 582   # where columns begin
BOX_ROW = r"^│ +(\d+) +│ (.*?) +│ +(-?\d\.\d{3}) +│"

HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"
     font-family="sans-serif" font-size="12">
<title>{query}: {retrieved} movies retrieved, {kept} kept</title>
<style>
  .page {{ fill: #ffffff; stroke: #d0d7de }}  text {{ fill: #57606a }}
  .kept {{ fill: #1f2328; font-weight: bold }}
  .bar {{ fill: #d0d7de }}  .kept-bar, .rank {{ fill: #0969da }}
  .line {{ fill: none; stroke: #0969da; stroke-width: 1.5 }}  .end {{ text-anchor: end }}
  .head {{ font-size: 13px; font-weight: bold }}  .query {{ font-size: 16px; fill: #1f2328 }}
  @media (prefers-color-scheme: dark) {{
    .page {{ fill: #0d1117; stroke: #30363d }}  text {{ fill: #9198a1 }}
    .kept, .query {{ fill: #f0f6fc }}
    .bar {{ fill: #3d444d }}  .kept-bar, .rank {{ fill: #4493f8 }}  .line {{ stroke: #4493f8 }}
  }}
</style>
<rect class="page" x="0.5" y="0.5" width="{right}" height="{bottom}" rx="8"/>"""


def text(x, y, content, style=""):
    classes = f' class="{style}"' if style else ""
    return f'<text x="{x}" y="{y}"{classes}>{xml.sax.saxutils.escape(content)}</text>'


def read_demo(output):
    """(query, [(place, title, similarity)], [(place, title, relevance, movement, old place)])."""
    query = re.search(r"^Query: (.*)$", output, re.MULTILINE).group(1)
    retrieved, kept = output.split("Reranked: ")
    rows = [(int(place), title, float(score))
            for place, title, score in re.findall(BOX_ROW, retrieved, re.MULTILINE)]
    moved = re.findall(BOX_ROW + r" (\w+ ?\d*)(?:, was (\d+))? +│$", kept, re.MULTILINE)
    return query, rows, [(int(place), title, float(score), movement, int(old or place))
                         for place, title, score, movement, old in moved]


def retrieved_row(place, title, similarity, scale, is_kept):
    y = TOP + (place - 1) * ROW
    width = max(1, round(similarity * scale))
    yield text(TITLE - 10, y, str(place), "end")
    yield text(TITLE, y, title, "kept" if is_kept else "")
    bar = "kept-bar" if is_kept else "bar"
    yield f'<rect class="{bar}" x="{BAR}" y="{y - 9}" width="{width}" height="9" rx="2"/>'
    yield text(BAR + BAR_WIDTH + 42, y, f"{similarity:.3f}", "end")


def kept_row(place, title, relevance, movement, old):
    y = TOP + (place - 1) * KEPT_ROW
    from_x, from_y, to_x = BAR + BAR_WIDTH + 50, TOP + (old - 1) * ROW - 4, KEPT - 30
    middle = (from_x + to_x) // 2
    curve = f"M{from_x} {from_y} C{middle} {from_y} {middle} {y - 4} {to_x} {y - 4}"
    yield f'<path class="line" d="{curve}"/>'
    yield text(KEPT - 10, y, str(place), "end rank")
    yield text(KEPT, y, title, "kept")
    yield text(KEPT, y + 17, f"relevance {relevance:.3f}, {movement}")


def draw(output):
    query, retrieved, kept = read_demo(output)
    height = TOP + len(retrieved) * ROW + 4
    scale = BAR_WIDTH / max(similarity for _, _, similarity in retrieved)
    was_kept = {old for *_, old in kept}
    yield HEAD.format(
        query=xml.sax.saxutils.escape(query), retrieved=len(retrieved), kept=len(kept), width=WIDTH,
        height=height, right=WIDTH - 1, bottom=height - 1)
    yield text(TITLE, 32, f"“{query}”", "query")
    yield text(TITLE, 60, f"Retrieved: the {len(retrieved)} best, and their similarity", "head")
    yield text(KEPT, 60, f"Reranked: the {len(kept)} most relevant of them", "head")
    for row in retrieved:
        yield from retrieved_row(*row, scale, row[0] in was_kept)
    for row in kept:
        yield from kept_row(*row)
    yield "</svg>"


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    print("\n".join(draw(sys.stdin.buffer.read().decode("utf-8"))))
