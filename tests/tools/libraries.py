"""A copy of OpenSSL's libraries for the programs of one test, so that uprobes on a library reach these and no others."""
import os
import re
import shutil
import subprocess


def private_libraries(folder):
    """Copies them to folder/lib; that path, and the words before a command that make it load them."""
    lines = subprocess.run(["ldd", shutil.which("openssl")], check=True, capture_output=True, text=True).stdout
    copies = os.path.join(folder, "lib")
    os.mkdir(copies)
    for path in re.findall(r"=> (\S*/lib(?:ssl|crypto)\.so\S*)", lines):
        shutil.copy(path, copies)
    return copies, ["env", f"LD_LIBRARY_PATH={copies}"]
