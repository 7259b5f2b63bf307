"""How much memory a program has needed."""

import subprocess
import sys

TELL = "from training.memory import peak_mib; print(peak_mib())"


def test_peak_is_that_of_the_program_and_not_of_the_one_that_started_it() -> None:
    held = bytearray(400 * 2**20)
    held[:: 2**12] = b"x" * (len(held) // 2**12)  # touched, so that it is there
    done = subprocess.run([sys.executable, "-c", TELL], check=True, stdout=subprocess.PIPE)

    assert 1 < float(done.stdout) < 300
