"""An emulated board as a context manager, with the other ends of its three UARTs.

    with Board("image.elf", flash="flash.bin") as board:
        board.expect("boot")             # a line on the console
        board.send(b"datagram")          # SLIP (RFC 1055) on the radio
        answer = board.receive()
        board.reset()                    # or board.power_cut(), which kills the emulator and starts it anew
        print(board.results())           # {"stack.used": 1234, ...}, from `name value unit` lines

Python's standard library only. Start boards from the main thread: the kernel kills a board whose starting thread has ended,
so that none outlives a test that died.
"""

import ctypes
import json
import os
import queue
import selectors
import signal
import socket
import subprocess
import threading
import time

END, ESC, ESC_END, ESC_ESC = 0xC0, 0xDB, 0xDC, 0xDD
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class BoardError(Exception):
    """The board did not do what was waited for."""


def slip_encode(datagram):
    body = datagram.replace(bytes([ESC]), bytes([ESC, ESC_ESC])).replace(bytes([END]), bytes([ESC, ESC_END]))
    return bytes([END]) + body + bytes([END])


class SlipDecoder:
    """Feed it bytes as they come; it yields whole datagrams and drops wrongly escaped ones."""

    def __init__(self):
        self._pending = b""

    def feed(self, data):
        *frames, self._pending = (self._pending + data).split(bytes([END]))
        for frame in frames:
            plain = frame.replace(bytes([ESC, ESC_END]), bytes([END])).replace(bytes([ESC, ESC_ESC]), bytes([ESC]))
            escapes = frame.count(bytes([ESC]))
            if plain and len(frame) - len(plain) == escapes:
                yield plain


class LineDecoder:
    def __init__(self):
        self._pending = b""

    def feed(self, data):
        *lines, self._pending = (self._pending + data).split(b"\n")
        yield from (line.decode("utf-8", "replace").rstrip("\r") for line in lines)


def _die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Board:
    """`flash`: a file that keeps the data flash, made where there is none; without it a reset keeps the flash, a power cut
    does not. `entropy`: a function from a count to that many bytes; None leaves the board without randomness. `shift`: for
    `-icount`, one instruction takes 2^shift ns (default: real time). `timeout`: seconds that any wait may take."""

    MACHINE = "mps2-an386"
    FLASH_SIZE = 16 << 20  # of the memory that holds the flash

    def __init__(self, image, *, flash=None, entropy=os.urandom, shift=None, timeout=20.0, on_datagram=None):
        self.image, self.flash, self.entropy, self.shift, self.timeout = os.fspath(image), flash, entropy, shift, timeout
        self.datagrams, self.lines, self.output = queue.Queue(), queue.Queue(), []
        self._on_datagram = on_datagram or self.datagrams.put
        self._process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()

    # The emulator's life.

    def start(self):
        names = ("radio", "console", "entropy", "qmp", "results")
        pairs = {name: socket.socketpair() for name in names}
        self._sockets = {name: ours for name, (ours, _) in pairs.items()}
        self._answers, self._stopping = queue.Queue(), False
        self._process = subprocess.Popen(
            self._command({name: theirs.fileno() for name, (_, theirs) in pairs.items()}),
            pass_fds=[theirs.fileno() for _, theirs in pairs.values()], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=_die_with_parent)
        for _, theirs in pairs.values():
            theirs.close()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._qmp("qmp_capabilities")

    def _command(self, fds):
        machine, memory = self.MACHINE, []
        if self.flash:
            machine += ",memory-backend=flash"
            memory = ["-object", f"memory-backend-file,id=flash,size={self.FLASH_SIZE},mem-path={self.flash},share=on"]
        command = ["qemu-system-arm", *memory, "-M", machine, "-kernel", self.image, "-nodefaults", "-display", "none",
                   "-nic", "user,restrict=on,model=lan9118",  # unused, but QEMU warns of a board without
                   "-semihosting-config", "enable=on,target=native,chardev=results", "-mon", "chardev=qmp,mode=control"]
        for name, fd in fds.items():
            command += ["-chardev", f"socket,id={name},fd={fd}"]
        for name in ("radio", "console", "entropy"):  # in the order of the UARTs
            command += ["-serial", f"chardev:{name}"]
        if self.shift is not None:
            command += ["-icount", f"shift={self.shift}"]
        return command

    def wait(self):
        """Until the image ends by itself; its exit code."""
        try:
            code = self._process.wait(self.timeout)
        except subprocess.TimeoutExpired:
            raise BoardError(f"{self.image} did not end within {self.timeout} s") from None
        self._reader.join(self.timeout)
        return code

    def kill(self):
        """As if the power had been cut: nothing is flushed or said good-bye to."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stderr.close()
        for end in self._sockets.values():
            end.close()
        self._process = None

    def power_cut(self):
        self.kill()
        self.start()

    def reset(self):
        """The reset button. What the board has not yet read from its UARTs is lost or not, as on a real one."""
        self._qmp("system_reset")

    # The two lines.

    def send(self, datagram):
        self.send_raw(slip_encode(datagram))

    def send_raw(self, data):
        self._sockets["radio"].sendall(data)

    def receive(self, timeout=None):
        """The next datagram from the board, or None when none comes in time."""
        try:
            return self.datagrams.get(timeout=self.timeout if timeout is None else timeout)
        except queue.Empty:
            return None

    def type(self, line):
        self._sockets["console"].sendall(line.encode() + b"\n")

    def expect_any(self, words):
        """The next console line that is one of `words` or starts with one and a space; earlier lines are dropped."""
        deadline, seen = time.monotonic() + self.timeout, []
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise BoardError(f"no line {words} but {seen}; {self._last_words()}") from None
            if line.split(" ")[0] in words:
                return line
            seen.append(line)

    def expect(self, word):
        """The rest of the next console line that starts with `word`."""
        return self.expect_any((word,))[len(word) + 1:]

    def ask(self, line, word):
        self.type(line)
        return self.expect(word)

    def results(self):
        """The latest value of each `name value unit` line."""
        fields = (line.split(" ") for line in self.output)
        return {parts[0]: int(parts[1]) for parts in fields if len(parts) == 3 and parts[1].isdigit()}

    def result(self, name, above=-1):
        """The latest value of one of them, as soon as there is one greater than `above`."""
        deadline = time.monotonic() + self.timeout
        while (value := self.results().get(name, -1)) <= above:
            if time.monotonic() > deadline:
                raise BoardError(f"{name} is {value}; {self._last_words()}")
            time.sleep(0.01)
        return value

    # Behind the scenes.

    def _qmp(self, command):
        self._sockets["qmp"].sendall(json.dumps({"execute": command}).encode() + b"\n")
        try:
            answer = self._answers.get(timeout=self.timeout)
        except queue.Empty:
            answer = "no answer"
        if "return" not in answer:
            raise BoardError(f"QEMU does not take {command}: {answer}; {self._last_words()}")

    def _last_words(self):
        if self._process.poll() is None:
            return f"{self.image} is still running and said {self.output}"
        return f"{self.image} ended with {self._process.returncode} and said {self.output} {self._process.stderr.read().decode()}"

    def _read(self):
        """Serves all ends until QEMU closes them."""
        lines, radio, results, qmp = LineDecoder(), SlipDecoder(), LineDecoder(), LineDecoder()
        with selectors.DefaultSelector() as ends:
            for name, end in self._sockets.items():
                ends.register(end, selectors.EVENT_READ, name)
            while ends.get_map():
                for key, _ in ends.select():
                    try:
                        data = key.fileobj.recv(65536)
                    except ConnectionError:
                        data = b""
                    if not data:
                        ends.unregister(key.fileobj)
                    elif key.data == "radio":
                        for datagram in radio.feed(data):
                            self._on_datagram(datagram)
                    elif key.data == "console":
                        for line in lines.feed(data):
                            self.lines.put(line)
                    elif key.data == "results":
                        self.output.extend(results.feed(data))
                    elif key.data == "entropy":
                        self._feed_entropy(data)
                    else:
                        messages = (json.loads(line) for line in qmp.feed(data))
                        for message in messages:
                            if "return" in message or "error" in message:
                                self._answers.put(message)

    def _feed_entropy(self, counts):
        for count in counts if self.entropy else b"":
            try:
                self._sockets["entropy"].sendall(self.entropy(count))
            except ConnectionError:  # the board is gone
                return
