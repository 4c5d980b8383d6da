"""run.py names what was skipped."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import run  # noqa: E402

CMOCKA = """[==========] Running 3 test(s).
[ RUN      ] products_are_exact
[       OK ] products_are_exact
[ RUN      ] amx_is_exact
[  SKIPPED ] amx_is_exact
[ RUN      ] neon_is_exact
[  SKIPPED ] neon_is_exact
[==========] 3 test(s) run.
[  PASSED  ] 1 test(s).
[  SKIPPED ] 2 test(s), listed below:
[  SKIPPED ] amx_is_exact
[  SKIPPED ] neon_is_exact

 2 SKIPPED TEST(S)
"""
UNITTEST = """test_a (test_skipped.SomeTest.test_a) ... skipped "no 'x' here"
test_b (test_skipped.SomeTest.test_b)
It does b. ... skipped 'no b here'
test_c (test_skipped.SomeTest.test_c) ... ok
setUpClass (test_skipped.OtherTest) ... skipped 'nothing here'

----------------------------------------------------------------------
Ran 3 tests in 0.001s

OK (skipped=3)
"""


class SkippedTest(unittest.TestCase):
    def test_cmocka(self):
        self.assertEqual(run.skipped_tests(CMOCKA), ["amx_is_exact", "neon_is_exact"])

    def test_unittest(self):
        self.assertEqual(run.skipped_tests(UNITTEST), [
            "test_a \"no 'x' here\"", "test_b 'no b here'", "setUpClass 'nothing here'"])

    def test_script(self):
        self.assertEqual(run.skipped_tests("skipped 'numpy is not here'\n"),
                         ["'numpy is not here'"])


class OrderTest(unittest.TestCase):
    def test_the_longest_are_there(self):
        tests = os.path.dirname(os.path.abspath(run.__file__))
        for name in run.LONGEST:
            kind, rest = name.split("/", 1)
            file = {"fault": f"sql/{rest}.sql", "unit": f"{name}.c"}.get(kind, f"{name}.py")
            self.assertTrue(os.path.isfile(os.path.join(tests, file)), name)

    def test_they_come_first_and_the_others_as_they_are(self):
        names = ["unit/b", run.LONGEST[1], "unit/a", run.LONGEST[0]]
        suites = run.longest_first([run.Suite(name, None) for name in names])
        self.assertEqual([suite.name for suite in suites],
                         [run.LONGEST[0], run.LONGEST[1], "unit/b", "unit/a"])


if __name__ == "__main__":
    unittest.main()
