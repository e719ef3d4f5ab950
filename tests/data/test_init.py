import subprocess
import sys


def test_importing_data_needs_no_keras():
    code = "import sys, kilter.data; print({'keras', 'polars'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
