"""cachepusher for Python: a thin layer over libcachepusher, by ctypes, and as a program an example of its use.

    python3 cachepusher.py 'dbname=shop' 127.0.0.1:6379

fills Redis with the documents of the customer example, follows Postgres, and prints each document that settles.
"""

import ctypes
import json
import sys

_lib = ctypes.CDLL("libcachepusher.so.0")


class _Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("retriable", ctypes.c_bool), ("message", ctypes.c_char * 512)]


class _Document(ctypes.Structure):  # as far as it is read here; the library's own may be longer
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("entity", ctypes.c_char_p),
        ("key", ctypes.c_char_p),
        ("bytes", ctypes.c_size_t),
        ("exists", ctypes.c_bool),
        ("id", ctypes.c_char_p),
        ("document", ctypes.c_void_p),
    ]


_Log = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p)
_Settled = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(_Document))


class _Callbacks(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("log", _Log), ("settled", _Settled), ("context", ctypes.c_void_p)]


_lib.cp_config_create.restype = ctypes.c_void_p
_lib.cp_syncer_create.restype = ctypes.c_void_p
_lib.cp_code_name.restype = ctypes.c_char_p


class Error(Exception):
    """What the library says of a call that failed; `code` is a word, such as "postgres"."""

    def __init__(self, err):
        super().__init__(err.message.decode())
        self.code = _lib.cp_code_name(err.code).decode()
        self.retriable = err.retriable


def _call(function, *arguments):
    err = _Error()
    if function(*arguments, ctypes.byref(err)) != 0:
        raise Error(err)


class Syncer:
    """Keeps Redis equal to Postgres, from start() to stop(), or for as long as a `with` block lasts.

    settings: those of the configuration file, by name; config: such a file. settled(entity, id, key, document) is
    called from the library's threads with the bytes of each document that has settled, or None where there is none, and
    log(level, message) with what the library has to tell. What they raise goes to sys.unraisablehook.
    """

    def __init__(self, config=None, settled=None, log=None, **settings):
        err = _Error()
        made = ctypes.c_void_p(_lib.cp_config_create(ctypes.byref(err)))
        self._syncer = None
        try:
            if not made:
                raise Error(err)
            if config is not None:
                _call(_lib.cp_config_load, made, config.encode())
            for name, value in settings.items():
                text = json.dumps(value) if isinstance(value, bool) else str(value)
                _call(_lib.cp_config_set, made, name.encode(), text.encode())
            self._callbacks = self._wrap(settled, log)  # ctypes frees what nobody holds
            syncer = _lib.cp_syncer_create(made, ctypes.byref(self._callbacks), ctypes.byref(err))
            if not syncer:
                raise Error(err)
        except Error:
            _lib.cp_config_destroy(made)
            raise
        self._syncer = ctypes.c_void_p(syncer)  # owns the configuration

    @staticmethod
    def _wrap(settled, log):
        def on_settled(_, pointer):
            d = pointer.contents
            document = ctypes.string_at(d.document, d.bytes) if d.exists else None
            settled(d.entity.decode(), d.id.decode(), d.key.decode(), document)

        def on_log(_, level, message):
            log(("error", "warn", "info", "debug")[level], message.decode())

        return _Callbacks(
            size=ctypes.sizeof(_Callbacks),
            log=_Log(on_log) if log else _Log(),
            settled=_Settled(on_settled) if settled else _Settled(),
        )

    def start(self):
        _call(_lib.cp_syncer_start, self._syncer)

    def wait_ready(self, seconds=-1):
        _call(_lib.cp_syncer_wait_ready, self._syncer, int(seconds * 1000) if seconds >= 0 else -1)

    def enqueue(self, entity, id):
        """Has a document read and stored again."""
        _call(_lib.cp_syncer_enqueue, self._syncer, entity.encode(), str(id).encode())

    def resync(self, entity=None):
        """Has every document of an entity, or of all, read and stored again."""
        _call(_lib.cp_syncer_resync, self._syncer, entity.encode() if entity else None)

    def stop(self, grace_seconds=5):
        """Settles what is queued, and ends the threads. It does not start again."""
        _call(_lib.cp_syncer_stop, self._syncer, int(grace_seconds * 1000))

    def close(self):
        """Frees it. Nothing may be called afterwards, nor be under way in another thread."""
        if self._syncer:
            _lib.cp_syncer_destroy(self._syncer)
            self._syncer = None

    def __enter__(self):
        try:
            self.start()
        except Error:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            self.close()


def main(postgres, redis, prefix="customer"):
    def settled(entity, id, key, document):
        print(entity, id, document.decode() if document is not None else "is gone", flush=True)

    def log(level, message):
        if level in ("error", "warn"):
            print(f"{level}: {message}", file=sys.stderr)

    with Syncer(settled=settled, log=log, postgres=postgres, redis=redis, prefix=prefix) as syncer:
        syncer.wait_ready(60)
        print("every document is in Redis; press return to stop", file=sys.stderr)
        sys.stdin.readline()


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 4:
        sys.exit("usage: cachepusher.py POSTGRES REDIS [PREFIX]")
    try:
        main(*sys.argv[1:])
    except Error as error:
        sys.exit(f"cachepusher: {error}")
