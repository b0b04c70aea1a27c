"""The part of unittest that the suites of protocol and firmware use, for an interpreter that has none.

Runs on MicroPython, and on CPython where the runner counts what MicroPython must match. `run` prints one line a test,
`@test` and JSON: id, cases (the test itself and its subtests), errors; other output passes through untouched.
Nothing can be skipped. A name that is missing here fails with AttributeError on MicroPython: use the common subset.
"""

import io
import json
import sys


def _text(error):
    """Return an exception with its traceback."""
    if not hasattr(sys, "print_exception"):  # CPython
        return repr(error)
    out = io.StringIO()
    sys.print_exception(error, out)
    return out.getvalue()


class _Raises:
    """What `with self.assertRaises(...)` enters."""

    def __init__(self, expected):
        self.expected, self.exception = expected, None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            raise AssertionError("%r not raised" % (self.expected,))
        self.exception = error
        return issubclass(kind, self.expected)


class _SubTest:
    """What `with self.subTest(...)` enters: a failure in it is noted and the test goes on."""

    def __init__(self, case, label):
        self.case, self.label = case, label

    def __enter__(self):
        self.case._cases += 1

    def __exit__(self, kind, error, trace):
        if kind is None or not issubclass(kind, Exception):
            return False
        self.case._errors.append("%s: %s" % (self.label, _text(error)))
        return True


def _assertion(holds, text):
    """Make an assertion about two values."""

    def method(self, a, b, msg=None):
        if not holds(a, b):
            self.fail(text % (a, b) + (" : %s" % (msg,) if msg else ""))

    return method


def _statement(holds, text):
    """Make an assertion about one value."""
    return lambda self, a, msg=None: None if holds(a) else self.fail(text % (a,) + (" : %s" % (msg,) if msg else ""))


class TestCase:
    """One test: the runner makes one instance a method."""

    def __init__(self):
        self._cases, self._errors, self._cleanups = 1, [], []

    @classmethod
    def setUpClass(cls): ...
    @classmethod
    def tearDownClass(cls): ...
    def setUp(self): ...
    def tearDown(self): ...

    def addCleanup(self, function, *args, **kwargs):
        self._cleanups.append((function, args, kwargs))

    def subTest(self, msg="", **values):
        return _SubTest(self, "%s %s" % (msg, values))

    def fail(self, msg="failed"):
        raise AssertionError(msg)

    assertEqual = _assertion(lambda a, b: a == b, "%r != %r")
    assertNotEqual = _assertion(lambda a, b: a != b, "%r == %r")
    assertIs = _assertion(lambda a, b: a is b, "%r is not %r")
    assertIsNot = _assertion(lambda a, b: a is not b, "%r is %r")
    assertIn = _assertion(lambda a, b: a in b, "%r not in %r")
    assertNotIn = _assertion(lambda a, b: a not in b, "%r in %r")
    assertGreater = _assertion(lambda a, b: a > b, "%r not > %r")
    assertGreaterEqual = _assertion(lambda a, b: a >= b, "%r not >= %r")
    assertLess = _assertion(lambda a, b: a < b, "%r not < %r")
    assertLessEqual = _assertion(lambda a, b: a <= b, "%r not <= %r")
    assertIsInstance = _assertion(isinstance, "%r is no %r")
    assertTrue = _statement(bool, "%r is not true")
    assertFalse = _statement(lambda a: not a, "%r is not false")
    assertIsNone = _statement(lambda a: a is None, "%r is not None")
    assertIsNotNone = _statement(lambda a: a is not None, "%r is None")

    def assertRaises(self, expected, function=None, *args, **kwargs):
        context = _Raises(expected)
        if function is not None:
            with context:
                function(*args, **kwargs)
        return context


def _attempt(errors, function, *args, **kwargs):
    """Call, note what it raises, and say whether it raised nothing."""
    try:
        function(*args, **kwargs)
        return True
    except Exception as e:
        errors.append(_text(e))


def _run_one(kind, name, id_):
    """Run one test method and print its line."""
    case = kind()
    print("@start " + id_)
    if _attempt(case._errors, case.setUp):
        _attempt(case._errors, getattr(case, name))
        _attempt(case._errors, case.tearDown)
    while case._cleanups:
        function, args, kwargs = case._cleanups.pop()
        _attempt(case._errors, function, *args, **kwargs)
    print("@test " + json.dumps({"id": id_, "cases": case._cases, "errors": case._errors}))


def run(module, prefix):
    """Run every test of `module` in alphabetical order; ids are `prefix.Class.test`."""
    for class_name in sorted(dir(module)):
        kind = getattr(module, class_name)
        if not isinstance(kind, type) or kind is TestCase or not issubclass(kind, TestCase):
            continue
        errors = []
        names = [name for name in sorted(dir(kind)) if name.startswith("test")]
        if names and _attempt(errors, kind.setUpClass):
            for name in names:
                _run_one(kind, name, "%s.%s.%s" % (prefix, class_name, name))
            _attempt(errors, kind.tearDownClass)
        if errors:
            print("@test " + json.dumps({"id": "%s.%s" % (prefix, class_name), "cases": 0, "errors": errors}))
