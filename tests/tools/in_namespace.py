"""Runs a Python function as a client that is observed: in a process of its own, in a namespace and a cgroup."""
import ctypes
import multiprocessing
import os

CLONE_NEWNET = 0x40000000
DEADLINE_S = 100


def enter(namespace, cgroup):
    """Moves the calling process into the network namespace and the cgroup."""
    cgroup.join()
    with open(f"/run/netns/{namespace.name}") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))


def call(namespace, cgroup, function, *arguments):
    """function(*arguments), which must be picklable as its result; AssertionError when it raises."""
    results = multiprocessing.Queue()

    def run():
        try:
            enter(namespace, cgroup)
            results.put((None, function(*arguments)))
        except BaseException as error:  # pylint: disable=broad-except
            results.put((repr(error), None))

    process = multiprocessing.Process(target=run)
    process.start()
    error, result = results.get(timeout=DEADLINE_S)
    process.join()
    if error:
        raise AssertionError(error)
    return result
