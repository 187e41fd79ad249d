# SPDX-License-Identifier: LGPL-2.1-or-later
"""strace: how it is started, and what it wrote of a service, of whose main thread is refused what
trace.conf says."""
import configparser
import os
import re
import shutil
import subprocess
import threading
from fnmatch import fnmatchcase

PATIENCE = 30  # seconds, for any one thing to come
END_PATIENCE = 5  # seconds, for what strace has still to write of what has ended
# As a grandchild of what it looks at, whose number, parent and end stay as they are. What is
# measured of the loop would be strace's.
COMMAND = ['strace', '-D', '-f', '-q', '-s', '64', '-E', 'CONDUCTOR_LOOP_BUDGET=']

# What makes descriptors, and says whether they wait.
DESCRIPTORS = '''socket socketpair pipe pipe2 eventfd2 signalfd4 timerfd_create inotify_init1 epoll_create1
    memfd_create pidfd_open dup dup2 dup3 fcntl ioctl close'''.split()
# Holding the lock of a list, or malloc's, for so long is no moving of a pointer.
MUTEX_SECONDS = 0.1

LINE = re.compile(r'(\d+) +(.*)')
END = re.compile(rb'^(\d+) .*\+\+\+ (exited|killed)', re.MULTILINE)
BEGUN = re.compile(r'(.*) <unfinished \.\.\.>$')
RESUMED = re.compile(r'<\.\.\. \w+ resumed>(.*)')
CALL = re.compile(r'(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+|\?)(.*)')
TOOK = re.compile(r'<(\d+\.\d+)>$')
RIGHTS = re.compile(r'cmsg_type=SCM_RIGHTS, cmsg_data=\[([\d, ]+)\]')


def why_not(program):
    """Why this one cannot be looked at, or ''."""
    if not shutil.which('strace'):
        return 'strace is missing'
    with open(program, 'rb') as f:
        made_by = re.search(rb'__(a|t)san_init', f.read())
    return 'it is built with a sanitizer, which asks more of the kernel than we do' if made_by else ''


def wait_end(path):
    """Until strace has written that the process ended, which may be after it did."""
    with open(path, 'rb') as f:
        pid = f.readline().split(b' ', 1)[0]
        f.seek(max(0, os.path.getsize(path) - 4096))
        if any(m[1] == pid for m in END.finditer(f.read())):
            return True
    # tail tells what is added, and is ended by the one that waits for the line.
    with subprocess.Popen(['tail', '-n', '+1', '-f', path], stdout=subprocess.PIPE) as tail:
        late = threading.Timer(END_PATIENCE, tail.kill)
        late.start()
        found = any((m := END.match(line)) and m[1] == pid for line in tail.stdout)
        late.cancel()
        tail.kill()
    return found


class Rules:
    def __init__(self, folder, exceptions='trace-allowed'):
        self.exceptions = exceptions
        config = configparser.ConfigParser(delimiters=('=',), interpolation=None)
        with open(os.path.join(folder, 'trace.conf'), encoding='utf-8') as f:
            config.read_file(f)
        self.rules = {name: dict(config[name]) for name in config.sections()}
        self.by_call = {call: name for name, rule in self.rules.items() for call in rule['calls'].split()}
        self.allowed = []
        with open(os.path.join(folder, exceptions), encoding='utf-8') as f:
            for line, text in enumerate(f, 1):
                words = text.split(None, 2)
                if not words or words[0].startswith('#'):
                    continue
                rule = next((r for r in self.rules if r.replace(' ', '-') == words[0]), None)
                if not rule or len(words) < 3:
                    raise SystemExit(f'Bail out! {exceptions}:{line}: not a rule, a call and a reason')
                self.allowed.append((rule, words[1], line))

    def traced(self):
        return sorted({'?' + call for call in [*self.by_call, *DESCRIPTORS]})

    def allows(self, rule, call):
        """The line that does, or 0. Patterns are globs in which only * is special."""
        text = call.replace(' ', '_')
        return next((line for r, pattern, line in self.allowed
                     if r == rule and fnmatchcase(text, pattern.replace('[', '[[]'))), 0)

    def in_vain(self, used):
        return [line for _, _, line in self.allowed if line not in used]


class Service:
    """One process, as far as it has been read."""

    def __init__(self, pid):
        self.pid, self.ready, self.loop = pid, False, None
        self.descriptors = {}  # number -> [whether it does not wait], which copies share


def makes_child(call):
    return call.startswith(('fork(', 'vfork(', 'clone(', 'clone3(')) and 'CLONE_THREAD' not in call


def says_ready(name, arguments):
    return name.startswith('send') and 'READY=1' in arguments


class Judge:
    def __init__(self, rules, is_ready=says_ready):
        self.rules, self.is_ready = rules, is_ready
        self.refused, self.used = {}, set()  # (rule, call) -> how often
        self.n_ready = self.n_calls = self.n_mutex = 0
        self.longest_mutex = 0.0

    @property
    def n_refused(self):
        return sum(self.refused.values())

    def add(self, other):
        for key, n in other.refused.items():
            self.refused[key] = self.refused.get(key, 0) + n
        self.used |= other.used
        self.n_ready += other.n_ready
        self.n_calls += other.n_calls
        self.n_mutex += other.n_mutex
        self.longest_mutex = max(self.longest_mutex, other.longest_mutex)

    def refusals(self):
        return [f'{call}{f" ({n} times)" if n > 1 else ""}\n  rule: {rule}: {self.rules.rules[rule]["why"]}\n'
                f'  instead: {" ".join(self.rules.rules[rule]["instead"].split())}'
                for (rule, call), n in sorted(self.refused.items())]

    def read(self, path):
        service, begun, turn = None, {}, []
        tids, children = set(), set()  # children's descriptors are their own
        wait_end(path)
        with open(path, encoding='utf-8', errors='replace') as f:
            for text in f:
                m = LINE.match(text.rstrip('\n'))
                if not m:
                    continue
                tid, call = int(m[1]), m[2]
                service = service or Service(tid)
                if tid not in tids and any(makes_child(b) for b in begun.values()):
                    children.add(tid)
                tids.add(tid)
                if (m := BEGUN.match(call)):
                    begun[tid] = m[1]
                    continue
                if (m := RESUMED.match(call)):
                    call = begun.pop(tid, '?(') + m[1]
                m = CALL.match(call)
                if not m:
                    continue
                name, arguments, result, rest = m.groups()
                if makes_child(call) and result.isdigit():
                    children.add(int(result))
                if result == '?':
                    continue  # it was killed in it
                if tid == service.pid:
                    self.turn(service, turn, name, arguments, rest)
                if tid not in children:
                    self.learn(service, name, arguments, result)

    def turn(self, service, turn, name, arguments, rest):
        """A call of the main thread. What comes after the last wait is the end, when it may wait."""
        if not service.ready:
            service.ready = self.is_ready(name, arguments)
            self.n_ready += service.ready
            return
        rule = self.rules.by_call.get(name)
        if rule:
            self.n_calls += 1
            if self.waits(service, self.rules.rules[rule]['when'], name, arguments, rest):
                turn.append((rule, f'{name}({arguments})'))
        if name.startswith('epoll_') and self.first(arguments) == service.loop:
            for rule_, call in turn:
                self.refuse(rule_, call)
            turn.clear()

    def refuse(self, rule, call):
        line = self.rules.allows(rule, call)
        if line:
            self.used.add(line)
            return
        # The same call with other numbers is the same mistake.
        call = re.sub(r'conductor-test-\w+', 'conductor-test-*', re.sub(r'0x[0-9a-f]+', '0x…', call))
        self.refused[rule, call] = self.refused.get((rule, call), 0) + 1

    @staticmethod
    def first(arguments):
        m = re.match(r'-?\d+', arguments)
        return int(m[0]) if m else None

    def waits(self, service, when, name, arguments, rest):
        if when == 'any':
            # Of a descriptor that is there, fstat() asks no disk.
            return not (name == 'newfstatat' and ', "", ' in arguments)
        if when == 'timeout':
            return self.times_out(service, name, arguments)
        if when == 'blocking descriptor':
            if 'MSG_DONTWAIT' in arguments:
                return False
            state = service.descriptors.get(self.first(arguments))
            return not (state and state[0])
        if when == 'not a mutex':
            return self.waits_for_thread(arguments, rest)
        if when == 'no flag':
            if name == 'fcntl':
                return 'SETLKW' in arguments
            return 'WNOHANG' not in arguments and 'LOCK_NB' not in arguments and 'LOCK_UN' not in arguments
        assert when == 'process', when
        return 'CLONE_THREAD' not in arguments

    @staticmethod
    def times_out(service, name, arguments):
        words = arguments.rsplit(', ', 3)
        if name == 'epoll_wait':
            timeout = words[-1]
        elif name == 'epoll_pwait':
            timeout = words[-3]
        elif name == 'poll':
            timeout = words[-1]
        else:
            timeout = '0' if re.search(r'tv_sec=0, tv_n?u?sec=0\}', arguments) else '-1'
        if name.startswith('epoll_') and Judge.first(arguments) == service.loop:
            return timeout not in ('0', '-1')
        return timeout != '0'

    def waits_for_thread(self, arguments, rest):
        """Where one thread only moves a pointer under a mutex, the other may wait for that."""
        if 'FUTEX_WAIT' not in arguments and 'FUTEX_LOCK_PI' not in arguments:
            return False
        if not re.search(r'FUTEX_WAIT_PRIVATE, 2, NULL$', arguments):
            return True
        m = TOOK.search(rest)
        took = float(m[1]) if m else 0.0
        self.n_mutex += 1
        self.longest_mutex = max(self.longest_mutex, took)
        return took > MUTEX_SECONDS

    def learn(self, service, name, arguments, result):
        """Which descriptors there are, and whether they wait."""
        d = service.descriptors
        if name == 'close':
            d.pop(self.first(arguments), None)
            return
        if name in ('socketpair', 'pipe', 'pipe2'):
            for n in re.findall(r'\d+', re.search(r'\[([\d, ]+)\]', arguments + '[]0')[1] if '[' in arguments else ''):
                d[int(n)] = ['NONBLOCK' in arguments]
            return
        for m in RIGHTS.finditer(arguments) if name.startswith('recv') else ():
            for n in m[1].split(', '):
                d[int(n)] = [False]
        if result.startswith('-'):
            return
        if name == 'epoll_create1' and service.loop is None:
            service.loop = int(result)
        if name in ('dup', 'dup2', 'dup3') or (name == 'fcntl' and 'F_DUPFD' in arguments):
            state = d.get(self.first(arguments))
            if state:
                d[int(result)] = state
        elif name == 'fcntl' and 'F_SETFL' in arguments:
            d.setdefault(self.first(arguments), [False])[0] = 'O_NONBLOCK' in arguments
        elif name == 'fcntl' and 'F_GETFL' in arguments:
            d.setdefault(self.first(arguments), ['O_NONBLOCK' in arguments])
        elif name == 'ioctl' and 'FIONBIO' in arguments:
            d.setdefault(self.first(arguments), [False])[0] = '[0]' not in arguments
        elif name in ('open', 'openat', 'openat2', 'creat'):
            # What may be opened may be read.
            d[int(result)] = ['NONBLOCK' in arguments or
                              bool(self.rules.allows('files', f'{name}({arguments})'))]
        elif name not in ('fcntl', 'ioctl') and (name in DESCRIPTORS or name.startswith('accept')):
            # What is memory does not wait.
            d[int(result)] = ['NONBLOCK' in arguments or name == 'memfd_create']


def calls_between(path, begin, end):
    """Of a file with the times of CLOCK_REALTIME: how many lines there are before, and those between."""
    wait_end(path)
    before, between = 0, []
    with open(path, encoding='utf-8', errors='replace') as f:
        for text in f:
            at = float(text.split(None, 2)[1])
            before += at < begin
            if begin <= at < end:
                between.append(text.rstrip('\n'))
    return before, between
