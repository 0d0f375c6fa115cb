"""A kernel from its Debian package, and an initramfs with our programs in it."""
import glob
import os
import shutil
import subprocess

CACHE = "build/kernels"

# What the tests use that Debian's kernels have as modules; their dependencies come by themselves.
MODULES = ["veth", "sch_ingress", "cls_bpf", "sch_netem", "tcp_diag"]

# Programs of the host's Debian for the guest, with their libraries. busybox does the rest.
TOOLS = ["ethtool", "ip", "nginx", "nsenter", "openssl", "ss", "tc"]

# Programs of our own, by their place in build/release.
PROGRAMS = ["wiregauge", "exporter/probe/probe_live_test", "tests/tools/http_load", "tests/tools/drop_nth"]


def run(command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit status {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout


def resolve(package):
    """The package that holds the kernel itself: a meta package's one dependency on a linux-image."""
    for line in run(["apt-cache", "depends", package]).splitlines():
        kind, _, name = line.strip().partition(": ")
        if kind == "Depends" and name.startswith("linux-image-"):
            return name
    return package


def fetch(kernel):
    """The folder with the unpacked package of this kernel: boot/vmlinuz-*, lib/modules/*. Downloads it once."""
    folder = os.path.abspath(os.path.join(CACHE, kernel.name))
    package = resolve(kernel.package)
    unpacked = os.path.join(folder, package)
    if os.path.isdir(unpacked):
        return unpacked
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", f"{package}:{kernel.arch}"], cwd=folder)
    [deb] = glob.glob(f"{folder}/*.deb")
    run(["dpkg-deb", "-x", deb, unpacked + ".new"])
    # Debian makes the index of modules when it installs a kernel; nothing of this one is installed.
    run(["depmod", "-b", unpacked + ".new", version(unpacked + ".new")])
    os.unlink(deb)
    os.rename(unpacked + ".new", unpacked)
    return unpacked


def version(unpacked):
    [modules] = os.listdir(os.path.join(unpacked, "lib/modules"))
    return modules


def vmlinuz(unpacked):
    return os.path.join(unpacked, "boot", "vmlinuz-" + version(unpacked))


def modules_in_order(unpacked):
    """The files of MODULES and of what they need, each after its own needs. Built-in ones have none."""
    base = os.path.join(unpacked, "lib/modules", version(unpacked))
    needs = {}
    with open(os.path.join(base, "modules.dep")) as index:
        for line in index:
            path, _, rest = line.partition(":")
            needs[path] = rest.split()
    by_name = {os.path.basename(path).split(".")[0]: path for path in needs}
    order = []
    for name in MODULES:
        if name in by_name:
            path = by_name[name]
            order += [p for p in (*reversed(needs[path]), path) if p not in order]
    return [os.path.join(base, path) for path in order]


def libraries(program):
    """Paths of the shared libraries that the dynamic linker would load, itself included; none for a static program."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True)
    if done.returncode != 0:
        return []
    words = [word for line in done.stdout.splitlines() for word in line.split()]
    if "not" in words and "found" in words:
        raise RuntimeError(f"{program}: a library is missing: {done.stdout}")
    return [word for word in words if word.startswith("/")]


class Root:
    """The tree that becomes the initramfs."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("bin", "dev", "etc", "modules", "proc", "root", "run", "sys", "tests", "tmp", "var"):
            os.makedirs(os.path.join(folder, name))

    def add(self, source, target, strip=False):
        """The file and its libraries. Debug information would be three quarters of the image."""
        place = os.path.join(self.folder, target)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        if strip:
            run(["objcopy", "--strip-debug", source, place])
        else:
            shutil.copy(source, place)
        for library in libraries(source):
            there = self.folder + library
            if not os.path.exists(there):
                os.makedirs(os.path.dirname(there), exist_ok=True)
                shutil.copy(library, there)

    def write(self, target, text):
        with open(os.path.join(self.folder, target), "w") as file:
            file.write(text)


def which(tool):
    path = shutil.which(tool, path="/usr/sbin:/sbin:/usr/bin:/bin")
    if not path:
        raise RuntimeError(f"{tool} is not installed")
    return path


def build_initramfs(unpacked, build_folder, guest_folder, target):
    """Writes the initramfs for that kernel. Not compressed: the emulated CPU would be slower at it than the loader."""
    folder = target + ".root"
    shutil.rmtree(folder, ignore_errors=True)
    root = Root(folder)
    root.add(which("busybox"), "bin/busybox")
    root.add(which("dash"), "bin/sh")  # busybox' own shell prefers its applets to the programs below
    for tool in TOOLS:
        root.add(which(tool), f"bin/{tool}")
    for program in PROGRAMS:
        root.add(os.path.join(build_folder, program), f"tests/{os.path.basename(program)}", strip=True)
    for number, module in enumerate(modules_in_order(unpacked)):
        shutil.copy(module, os.path.join(folder, "modules", f"{number:02d}-{os.path.basename(module)}"))
    for script in glob.glob(os.path.join(guest_folder, "*")):
        shutil.copy(script, os.path.join(folder, "tests"))
    os.rename(os.path.join(folder, "tests/init"), os.path.join(folder, "init"))
    os.chmod(os.path.join(folder, "init"), 0o755)
    root.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    root.write("etc/group", "root:x:0:\n")
    with open(target, "wb") as image:
        names = subprocess.run(["find", ".", "-print0"], cwd=folder, check=True, capture_output=True).stdout
        subprocess.run(["cpio", "--null", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=folder, check=True,
                       input=names, stdout=image)
    shutil.rmtree(folder)
