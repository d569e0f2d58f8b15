# SPDX-License-Identifier: LGPL-3.0-or-later
"""``make proto``: what protoc makes of the .proto files, by an old one, whose code every later protobuf takes.

source/tests/protos.py       write source/RPIO/wire/grpc/*_pb2.py anew
"""

import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))

from peers import peers

FOLDER = Path(__file__).resolve().parents[1] / "RPIO" / "wire" / "grpc"
TOOLS = ("grpcio-tools==1.51.3", "setuptools<80")
"""Has protoc 3.21, the last before the code of 2023 that refuses an older protobuf than its own."""
SPDX = "# SPDX-License-Identifier: LGPL-3.0-or-later\n"


def compile_protos(sources, target, *words):
    """Run the old protoc. Raises peers.NotToBeHad."""
    tools = peers.with_needs(*TOOLS)
    folder = Path(sources[0]).parent
    peers.run(
        *(sys.executable, "-W", "ignore", "-m", "grpc_tools.protoc", f"-I{folder}", f"--python_out={target}"),
        *(*words, *[Path(source).name for source in sources]),
        PYTHONPATH=str(tools),
    )


def made():
    """File name -> its text."""
    with tempfile.TemporaryDirectory() as target:
        compile_protos(sorted(FOLDER.glob("*.proto")), target)
        return {path.name: SPDX + path.read_text("utf-8") for path in sorted(Path(target).glob("*_pb2.py"))}


if __name__ == "__main__":
    for name, text in made().items():
        (FOLDER / name).write_text(text, "utf-8")
        print(FOLDER / name)
