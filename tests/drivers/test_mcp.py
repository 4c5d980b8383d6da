"""`sqlite-rerank mcp`, asked over stdio by the client of the package mcp."""
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import packed  # noqa: E402

# Calls tools one after the other, and prints what came of each as a line of JSON.
CLIENT = """
import asyncio, json, os, sys
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

async def main(arguments, calls):
    server = StdioServerParameters(command=sys.executable, env=dict(os.environ),
                                   args=["-B", "-m", "sqlite_rerank", "mcp", *arguments])
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        tools = (await session.list_tools()).tools
        print(json.dumps({tool.name: tool.annotations.read_only_hint for tool in tools}))
        for name, values in calls:
            result = await session.call_tool(name, values)
            print(json.dumps([result.is_error, [part.text for part in result.content],
                              result.structured_content]))

asyncio.run(main(*json.loads(sys.argv[1])))
"""


@unittest.skipUnless(packed.installed("mcp"), "mcp is not in build/command")
class McpTest(packed.CommandTest):
    def ask(self, arguments, *calls):
        """(the tools, what came of each call)."""
        made = subprocess.run(
            [sys.executable, "-B", "-c", CLIENT, json.dumps([arguments, calls])], cwd=self.folder,
            env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            check=False, timeout=120)
        self.assertEqual(made.returncode, 0, made.stderr)
        tools, *answers = [json.loads(line) for line in made.stdout.splitlines()]
        return tools, answers

    def test_reading_alone(self):
        path = self.write("docs/bats.md", "# Bats\n\nBats sleep in caves by day.\n")
        self.report("docs")
        tools, answers = self.ask(
            ["notes.db"], ("search", {"query": "where do bats sleep", "limit": 3}),
            ("get", {"path": path}), ("get", {"path": "/etc/passwd"}), ("add", {"text": "x"}),
            ("search", {"query": "bats\0", "limit": -1}))
        self.assertEqual(tools, {"search": True, "get": True})
        self.assertEqual([failed for failed, *_ in answers], [False, False, True, True, False])
        self.assertEqual(answers[0][2]["result"][0]["path"], path)
        self.assertIn("sleep in caves", answers[1][1][0])
        self.assertIn("has no document /etc/passwd", answers[2][1][0])

    def test_notes_are_kept_where_that_was_asked_for(self):
        tools, answers = self.ask(
            ["memory.db", "--write"],
            ("add", {"text": "The user likes onion soup.", "name": "food"}),
            ("add", {"text": "The deploy key is rotated in March.", "title": "Deploys"}),
            ("add", {"text": "The user likes pea soup.", "name": "food"}),
            ("add", {"text": "  "}), ("search", {"query": "which soup", "limit": 2}))
        self.assertEqual(tools, {"search": True, "get": True, "add": False})
        self.assertEqual([failed for failed, *_ in answers], [False, False, False, True, False])
        self.assertEqual(answers[0][1], ["note/food"])
        found = answers[-1][2]["result"]
        self.assertEqual((found[0]["path"], found[0]["text"]),
                         ("note/food", "The user likes pea soup."))
        # They are no files: a run over files leaves them.
        self.write("docs/bats.md", "Bats.\n")
        self.said("index", "memory.db", "docs")
        self.assertIn("pea soup", self.said("get", "memory.db", "note/food"))


if __name__ == "__main__":
    unittest.main()
