import subprocess
import sys

import ontogeny as ont

TORCH_FREE = ("record", "run", "stats", "measure", "plot", "report", "construction.readiness")


def in_fresh_python(code):
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)


def test_analysis_does_not_import_torch():
    names = ", ".join(f"ontogeny.{name}" for name in TORCH_FREE)
    in_fresh_python(f"import sys, {names}; assert 'torch' not in sys.modules")


def test_importing_the_package_is_light():
    in_fresh_python(
        "import sys, ontogeny; assert not {'torch', 'xarray', 'matplotlib'} & set(sys.modules)"
    )


def test_a_missing_extra_is_named():
    code = """
import sys
sys.modules["matplotlib"] = None
import ontogeny
try:
    ontogeny.report
except ImportError as error:
    assert 'pip install "ontogeny[plot]"' in str(error), error
else:
    raise AssertionError
"""
    in_fresh_python(code)


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(ont, "nonsense")


def test_acts_stay_acts_after_their_modules_were_imported():
    in_fresh_python(
        "import ontogeny, ontogeny.report; from ontogeny.report import report\n"
        "assert ontogeny.report is report"
    )
