"""What Python code could do, judged by the names that it refers to.

Legitimate Lambda layers do arithmetic: they refer to `tf`, `K`, `np` and functions of those. The
names here lead beyond arithmetic. A name does not prove what happens when the code runs, but code
that uses none of these names cannot go beyond arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from modelaudit.formats.keras.builtin_layers import words

CAPABILITIES: Mapping[str, frozenset[str]] = {
    "runs programs": words(
        """os posix nt subprocess commands pty system popen Popen popen2 check_output check_call
        getoutput getstatusoutput execl execle execlp execv execve execvp spawnl spawnv
        posix_spawn fork forkpty startfile multiprocessing webbrowser pexpect paramiko fabric
        plumbum asyncio create_subprocess_shell create_subprocess_exec distutils exec_command"""
    ),
    "runs other code": words(
        """eval exec execfile compile __import__ importlib import_module imp runpy run_module
        run_path code codeop pickle cPickle _pickle dill cloudpickle joblib marshal shelve
        unpickle ctypes _ctypes cffi CDLL PyDLL ctypeslib load_library load_op_library
        FunctionType CodeType LambdaType types apply_ufunc pip site zipimport pkgutil f2py
        py_function py_func numpy_function PyFunc EagerPyFunc enable_unsafe_deserialization
        timeit cProfile profile pdb bdb doctest runstring imp import_graph_def deserialize
        deserialize_keras_object model_from_json model_from_config model_from_yaml"""
    ),
    "reads or writes files": words(
        """open file io_open fdopen pathlib shutil tempfile glob unlink rmtree makedirs mkdir
        chmod symlink read_file write_file ReadFile WriteFile matching_files MatchingFiles gfile
        GFile raw_ops load loads save savez savetxt loadtxt genfromtxt fromfile tofile memmap
        load_model save_model load_weights save_weights load_img save_img TFRecordWriter
        TFRecordDataset TextLineDataset create_file_writer read_text write_text read_bytes
        write_bytes copyfile listdir scandir FixedLengthRecordDataset CsvDataset SqlDataset
        make_csv_dataset list_files load_checkpoint load_variable list_variables
        latest_checkpoint init_from_checkpoint NewCheckpointReader write_graph
        TextFileInitializer index_table_from_file index_to_string_table_from_file Asset
        enable_dump_debug_info file_io zipfile ZipFile tarfile linecache fileinput tokenize
        sqlite3 dbm mmap DataSource h5py read_csv read_json read_table read_excel read_hdf
        read_parquet read_pickle read_sql read_html read_xml to_csv to_pickle to_hdf
        imread imwrite imsave VideoCapture VideoWriter dump Checkpoint CheckpointManager Saver
        fcntl winreg msvcrt"""
    ),
    "uses the network": words(
        """socket ssl urllib urllib2 urllib3 urlopen urlretrieve requests http httplib httplib2
        ftplib smtplib telnetlib xmlrpc aiohttp websocket websockets socketserver grpc boto3
        imaplib poplib nntplib selectors
        get_file hf_hub_download snapshot_download experimental_connect_to_host
        experimental_connect_to_cluster DispatchServer WorkerServer Server"""
    ),
    "reaches into the interpreter": words(
        """sys modules getattr setattr delattr globals locals vars builtins __builtin__
        __builtins__ __globals__ __subclasses__ __class__ __base__ __bases__ __mro__ __code__
        __closure__ __dict__ __getattribute__ __getattr__ __loader__ __spec__ __func__ __self__
        __reduce__ __reduce_ex__ __setstate__ func_globals func_code gc inspect f_globals
        f_locals f_back gi_frame cr_frame tb_frame breakpoint _getframe setprofile settrace
        attrgetter methodcaller mro raise_signal pthread_kill exit quit threading"""
    ),
}
"""Ability -> names that provide it.

`io` and `signal` are not listed: `tf.io` decodes images, `tf.signal` computes spectrograms.
"""

_ABILITY_OF = {name: ability for ability, names in CAPABILITIES.items() for name in names}


def abilities(names: Iterable[str]) -> dict[str, list[str]]:
    """Ability -> the names in `names` that provide it; empty for arithmetic."""
    found: dict[str, list[str]] = {}
    for name in names:
        ability = _ABILITY_OF.get(name)
        if ability is not None:
            found.setdefault(ability, []).append(name)
    return found
