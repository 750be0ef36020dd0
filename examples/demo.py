"""The main job on the model and the faces that ship: `make demo`, or `nox -s demo` where there is no make.

Three strategies, the model without its adapters, a page with every sample, and a leaderboard, in ``results/demo``.
"""

import shlex
import subprocess
import sys

COMMANDS = """
evaluate --strategy direct --output results/demo/direct
evaluate --strategy one-shot --output results/demo/one-shot
evaluate --strategy chain-of-affect --output results/demo/chain-of-affect
evaluate --adapter none --output results/demo/base-free
evaluate --adapter none --decode score --output results/demo/base-options
report results/demo/chain-of-affect --images --output results/demo/report.html
leaderboard results/demo
"""

for command in COMMANDS.strip().splitlines():
    print(f"\n$ coabench {command}", flush=True)
    if code := subprocess.run([sys.executable, "-m", "coabench", *shlex.split(command)], check=False).returncode:
        sys.exit(code)
print("\nevery face with its answers: results/demo/report.html")
print("a photo of yours:            coabench predict photo.jpg, in the environment of this demo")
