import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { examineSource } from "../../bridge/examine-source.ts";
import { testTools } from "../support/tools.ts";
import { pluginPath } from "./run-plugin.ts";

/** `line:column kind subject` of each finding. */
async function examine(source: string): Promise<readonly string[]> {
  const { findings } = await examineSource(testTools().python, source);
  return findings.map(({ line, column, kind, subject }) => `${line}:${column} ${kind} ${subject}`);
}

test.each<readonly [what: string, source: string, findings: readonly string[]]>([
  // Network.
  ["a module of the network", "import json, socket", ["1:14 network socket"]],
  ["one below another", "import http.client\nhttp.client.HTTPConnection('x')", ["1:8 network http.client"]],
  ["urllib that asks, not urllib that parses", "import urllib.parse\nfrom urllib import request, parse", ["2:20 network urllib.request"]],
  [
    "packages",
    "import requests\nfrom google.cloud import storage\nimport boto3.session as b",
    ["1:8 network requests", "2:1 network google.cloud", "3:8 network boto3.session"],
  ],
  [
    "a function of asyncio",
    "import asyncio\nasync def f(): await asyncio.open_connection('x', 1)",
    ["2:22 network asyncio.open_connection"],
  ],
  [
    "a URL given to a reader",
    "import pandas as pd\npd.read_csv('s3://b/k')\npd.read_csv('data.csv')",
    ["2:1 network pandas.read_csv of s3://"],
  ],
  ["a file system of pyarrow", "from pyarrow import fs\nfs.S3FileSystem()", ["2:1 network pyarrow.fs.S3FileSystem"]],
  // Processes.
  ["under another name", "import subprocess as s\ns.run(['ls'])", ["1:8 process subprocess"]],
  ["a function under another name", "from os import system as run, path\nrun('ls')\npath.join('a')", ["1:16 process os.system"]],
  ["all of a module", "from os import *\nsystem('ls')\npath.join('a')", ["2:1 process os.system"]],
  ["a module given on", "import os\no = os\np, q = o, 1\np.fork()\np.path.join('a')", ["4:1 process os.fork"]],
  ["a function given on", "import os\nrun = os.execv\nrun('a', [])", ["2:7 process os.execv"]],
  ["in a place after its use", "def f():\n    o.popen('x')\nimport os as o", ["2:5 process os.popen"]],
  ["getattr with a literal", "import os\ngetattr(os, 'system')('ls')", ["2:1 process os.system"]],
  ["getattr with a literal in parts", "import os\ngetattr(os, 'sys' + 'tem')('ls')", ["2:1 process os.system"]],
  ["its dictionary", "import os\nvars(os)['system']\nos.__dict__['kill']", ["2:1 process os.system", "3:1 process os.kill"]],
  ["what os is made of", "import posix\nposix.system('x')", ["2:1 process os.system"]],
  ["a module that was imported by others", "import sys\nsys.modules['subprocess'].run('x')", ["2:1 process subprocess"]],
  [
    "an import by a function with a literal",
    "import importlib\nimportlib.import_module('subprocess').run('x')",
    ["2:1 process subprocess"],
  ],
  [
    "pools of processes, not of threads",
    "from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor",
    ["1:32 process concurrent.futures.ProcessPoolExecutor"],
  ],
  // Dynamic code.
  ["eval and exec", "eval('1')\nexec('1')\ncompile('1', '', 'exec')", ["1:1 dynamic eval", "2:1 dynamic exec", "3:1 dynamic compile"]],
  ["eval under another name", "e = eval\ne('1')", ["1:5 dynamic eval"]],
  ["eval by its module", "import builtins\nbuiltins.eval('1')\n__builtins__.exec('1')", ["2:1 dynamic eval", "3:1 dynamic exec"]],
  ["compile of something else", "import re\nre.compile('x')\ndf.eval('a + b')", []],
  ["a function of one's own", "def compile(x): return x\ncompile('1')", []],
  ["__import__ of a literal, which is the module", "__import__('os').system('x')", ["1:1 process os.system"]],
  [
    "an import of a name that is made",
    "import importlib\nimportlib.import_module(x)\n__import__(x)",
    ["2:1 dynamic importlib.import_module", "3:1 dynamic __import__"],
  ],
  ["getattr of a name that is made", "import os\ngetattr(os, x)\ngetattr(thing, x)", ["2:1 dynamic getattr on os"]],
  [
    "pickles",
    "import pickle, shelve\npickle.loads(b)\npickle.dumps(b)\nfrom marshal import load",
    ["1:16 dynamic shelve", "2:1 dynamic pickle.loads", "4:21 dynamic marshal.load"],
  ],
  [
    "pickles within others",
    "import pandas, numpy as np\npandas.read_pickle(p)\nnp.load(p)\nnp.load(p, allow_pickle=True)",
    ["2:1 dynamic pandas.read_pickle", "4:1 dynamic numpy.load with allow_pickle"],
  ],
  [
    "YAML that makes objects",
    "import yaml\nyaml.load(f, Loader=yaml.SafeLoader)\nyaml.safe_load(f)\nyaml.load(f)",
    ["4:1 dynamic yaml.load"],
  ],
  ["Python's innards", "().__class__.__base__.__subclasses__()", ["1:1 dynamic __subclasses__"]],
  // Native code.
  ["native code", "from ctypes import CDLL\nimport cffi, mmap", ["1:1 native ctypes", "2:8 native cffi", "2:14 native mmap"]],
  // Environment.
  ["the environment", "import os\nos.environ['HOME']\nfrom os import getenv", ["2:1 environment os.environ", "3:16 environment os.getenv"]],
  // Places.
  ["columns count characters, and lines end in any way", "import os\r\né = 'ü'; os.getenv('x')", ["2:10 environment os.getenv"]],
  [
    "in a class, in a method, in an f-string",
    "import os\nclass H:\n    def f(self):\n        return f'{os.getpid()} {os.environ}'",
    ["4:33 environment os.environ"],
  ],
])("%s", async (_what, source, findings) => {
  expect(await examine(source)).toEqual(findings);
});

test("a plugin that only reads its file has no findings", async () => {
  const source =
    "import os, sys, json, pandas as pd\nfrom pathlib import Path\nos.path.basename(p)\nPath(p).read_text()\nopen(p)\nsys.argv\npd.read_csv(p)";
  expect(await examine(source)).toEqual([]);
});

const examples = join(import.meta.dirname, "../../examples");

test.each(readdirSync(examples).filter((name) => name.endsWith(".py")))("the example %s has no findings", async (name) => {
  expect(await examine(readFileSync(join(examples, name), "utf8"))).toEqual([]);
});

test("of the plugin that tries the walls every kind is told, each module once", async () => {
  const found = (await examine(readFileSync(pluginPath("reaches_out"), "utf8"))).map((finding) => finding.replace(/^\d+:\d+ /, ""));
  expect(found).toEqual(
    expect.arrayContaining([
      "native ctypes",
      "native mmap",
      "network socket",
      "process subprocess",
      "process os.kill",
      "environment os.environ",
    ]),
  );
  expect(found.filter((finding) => finding === "network socket")).toHaveLength(1);
});

// docs/plugins.md says so: the syntax tree does not tell these.
test.each([
  ["through a container", "import os\n[os][0].system('x')"],
  ["through an attribute", "import os\nclass A: pass\nA.o = os\nA.o.system('x')"],
  ["through a parameter", "import os\ndef f(m): m.system('x')\nf(os)"],
  ["through another module that has it", "import tempfile\ntempfile._os.system('x')"],
  ["through a function that gets attributes", "import os, operator\noperator.attrgetter('system')(os)('x')"],
  ["in a locked package", "import pandas as pd\nfrom somewhere import fetch\nfetch('x')\npd.read_csv(url)"],
])("an evasion that is not seen: %s", async (_what, source) => {
  expect(await examine(source)).toEqual([]);
});

test("code that is too much for it is a finding; nothing of the code is run", async () => {
  const many = `import os\n${"os.getenv('x')\n".repeat(600)}`;
  const { findings } = await examineSource(testTools().python, many);
  expect(findings).toHaveLength(501);
  expect(findings.at(-1)).toMatchObject({
    kind: "dynamic",
    line: null,
    message: "there are 100 more findings like these, which are not listed",
  });
  const deep = await examineSource(testTools().python, `x = ${"(".repeat(100_000)}`);
  expect(deep.findings).toMatchObject([{ kind: "dynamic", message: expect.stringContaining("can't be examined") as string }]);
  expect(await examine("raise SystemExit(1)")).toEqual([]);
});

test("each finding says what it means in one sentence", async () => {
  const { findings } = await examineSource(testTools().python, "import subprocess");
  expect(findings).toEqual([
    {
      kind: "process",
      subject: "subprocess",
      line: 1,
      column: 8,
      message: "subprocess starts or signals processes, which stay in the sandbox and end with the plugin",
    },
  ]);
});
