import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { sha256 } from "./sha256.ts";
import { testTools } from "./tools.ts";

/** A registry of packages as uv and pip read it (PEP 503), for one wheel, behind a password. */
export interface SimpleIndex {
  readonly url: string;
  readonly user: string;
  readonly password: string;
  /** Requests that were answered with something. */
  served(): number;
  stop(): Promise<void>;
}

/** A package with a module of its name; `wheel` is the path of its file. */
export interface Wheel {
  readonly name: string;
  readonly version: string;
  readonly wheel: string;
  /** As a lock has it: version and hash. */
  readonly requirement: string;
}

/** Python's own zip library, with the RECORD that installers compare. */
const pack = `
import base64, hashlib, sys, zipfile
folder, name, version, code = sys.argv[1:]
info = f"{name}-{version}.dist-info"
files = {
    f"{name}/__init__.py": code,
    f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n",
    f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
}
lines = [f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},{len(text)}" for path, text in files.items()]
files[f"{info}/RECORD"] = "\\n".join([*lines, f"{info}/RECORD,,", ""])
with zipfile.ZipFile(f"{folder}/{name}-{version}-py3-none-any.whl", "w") as wheel:
    for path, text in files.items():
        wheel.writestr(zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0)), text)
`;

export function makeWheel(folder: string, name: string, version: string, code: string): Wheel {
  execFileSync(testTools().python, ["-I", "-c", pack, folder, name, version, code]);
  const wheel = join(folder, `${name}-${version}-py3-none-any.whl`);
  return { name, version, wheel, requirement: `${name}==${version} \\\n    --hash=sha256:${sha256(readFileSync(wheel))}\n` };
}

/** The same as source only: it must be built, which uv can do by itself. */
export function makeSourcePackage(folder: string, name: string, version: string, code: string): Wheel {
  const root = join(folder, `${name}-${version}`);
  mkdirSync(join(root, "src", name), { recursive: true });
  writeFileSync(join(root, "src", name, "__init__.py"), code);
  const project = `[project]\nname = "${name}"\nversion = "${version}"\n\n[build-system]\nrequires = ["uv_build"]\nbuild-backend = "uv_build"\n`;
  writeFileSync(join(root, "pyproject.toml"), project);
  writeFileSync(join(root, "PKG-INFO"), `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`);
  execFileSync("tar", ["-czf", `${root}.tar.gz`, "-C", folder, `${name}-${version}`]);
  const requirement = `${name}==${version} \\\n    --hash=sha256:${sha256(readFileSync(`${root}.tar.gz`))}\n`;
  return { name, version, wheel: `${root}.tar.gz`, requirement };
}

export async function startIndex({ name, wheel }: Wheel, port = 0): Promise<SimpleIndex> {
  const [user, password] = ["reader", "s3cret-of-the-index"];
  const expected = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  const file = wheel.split("/").at(-1)!;
  let served = 0;
  const server = createServer((request, response) => {
    const answer = (status: number, type: string, body: string | Buffer): void =>
      void response.writeHead(status, { "content-type": type, "www-authenticate": 'Basic realm="index"' }).end(body);
    if (request.headers.authorization !== expected) return answer(401, "text/plain", "who are you?");
    const isPage = request.url === `/simple/${name.replaceAll("_", "-")}/`;
    if (!isPage && request.url !== `/files/${file}`) return answer(404, "text/plain", "not here");
    served += 1;
    if (!isPage) return answer(200, "application/octet-stream", readFileSync(wheel));
    answer(200, "text/html", `<!DOCTYPE html><a href="/files/${file}#sha256=${sha256(readFileSync(wheel))}">${file}</a>`);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/simple/`,
    user,
    password,
    served: () => served,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
