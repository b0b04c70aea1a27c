// Runs MicroPython's WebAssembly port, which has 32 bits, as if it were the Unix port:
//
//     node micropython_wasm.mjs PACKAGE [-X heapsize=N[k|m]] -c CODE
//
// with folders to import from in MICROPYPATH. The port sees none of the host's files: those folders, and the ones that
// a variable WELDGATE_... names, are copied in before the start. It has no sockets and no limit of its heap.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const SHIM = "/environment"; // `os` of this port knows no variables

const [folder, ...args] = process.argv.slice(2);
let code = "";
let heap = 1 << 20;
for (let i = 0; i < args.length; i++) {
  if (args[i] === "-X") {
    const [, digits, unit] = /^heapsize=(\d+)w?([km]?)$/i.exec(args[++i]);
    heap = Number(digits) << { "": 0, k: 10, m: 20 }[unit.toLowerCase()];
  } else if (args[i] === "-c") {
    code = args[++i];
  }
}
const paths = (process.env.MICROPYPATH || "").split(":").filter((path) => path.startsWith("/"));
const variables = Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith("WELDGATE_")));

const { loadMicroPython } = await import(pathToFileURL(join(folder, "micropython.mjs")));
const mp = await loadMicroPython({
  heapsize: heap,
  linebuffer: false,
  stdout: (bytes) => process.stdout.write(bytes),
  stderr: (bytes) => process.stderr.write(bytes),
});

function copy(path) {
  mp.FS.mkdirTree(path);
  for (const name of readdirSync(path)) {
    const from = join(path, name);
    if (!statSync(from).isDirectory()) {
      mp.FS.writeFile(from, readFileSync(from));
    } else if (name !== "__pycache__") {
      copy(from);
    }
  }
}

for (const path of [...paths, ...Object.values(variables)]) {
  if (path.startsWith("/") && existsSync(path) && statSync(path).isDirectory()) copy(path);
}
mp.FS.mkdirTree(SHIM);
mp.FS.writeFile(
  join(SHIM, "os.py"),
  `from uos import *\n\n_variables = ${JSON.stringify(variables)}\n\n\n` +
    "def getenv(name, default=None):\n    return _variables.get(name, default)\n",
);
try {
  mp.runPython(`import sys\nsys.path[:] = ${JSON.stringify([SHIM, ...paths, ".frozen"])}`);
  mp.runPython(code);
} catch (error) {
  if (error.name !== "PythonError") throw error;
  if (error.type !== "SystemExit") {
    process.stderr.write(error.message);
    process.exitCode = 1;
  }
}
