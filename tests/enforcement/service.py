# SPDX-License-Identifier: LGPL-2.1-or-later
"""A service with a bus and folders of its own: what a check looks at."""
import os
import shutil
import signal
import socket
import subprocess

from strace import PATIENCE

DAEMON = shutil.which('dbus-daemon')
# No service is started by it, whatever the machine has installed.
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
"""


class Service:
    def __init__(self, folder, command, environment=None):
        self.environment = {'PATH': os.environ['PATH'], 'LANG': 'C.UTF-8', 'HOME': folder,
                            'XDG_RUNTIME_DIR': os.path.join(folder, 'run'),
                            'XDG_CONFIG_HOME': os.path.join(folder, 'config'),
                            'XDG_STATE_HOME': os.path.join(folder, 'state')}
        os.mkdir(self.environment['XDG_RUNTIME_DIR'], 0o700)
        engines = os.path.join(folder, 'config/conductor/engines.d')
        os.makedirs(engines)
        with open(os.path.join(engines, 'builtin.conf'), 'w', encoding='utf-8') as f:
            f.write('[Engine]\nType=builtin\n')
        self.bus = self.start_bus(folder)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            path = os.path.join(folder, 'notify')
            notify.bind(path)
            notify.settimeout(PATIENCE)
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                command, env={**self.environment, 'NOTIFY_SOCKET': path, **(environment or {})},
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                while b'READY=1' not in notify.recv(4096):
                    pass
            except TimeoutError:
                self.process.kill()
                self.bus.kill()
                raise

    def start_bus(self, folder):
        socket_path = os.path.join(self.environment['XDG_RUNTIME_DIR'], 'bus')
        config = os.path.join(folder, 'bus.conf')
        with open(config, 'w', encoding='utf-8') as f:
            f.write(BUS.format(socket_path))
        bus = subprocess.Popen(['dbus-daemon', '--config-file=' + config, '--nofork', '--nopidfile',
                                '--print-address=1'], env={}, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, executable=DAEMON)
        bus.stdout.readline()  # when it listens
        bus.stdout.close()
        self.environment['DBUS_SESSION_BUS_ADDRESS'] = 'unix:path=' + socket_path
        return bus

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self.bus.kill()
            self.bus.wait()
