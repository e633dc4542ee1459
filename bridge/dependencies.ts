/** Packages whose name is not that of their module. */
const packageNames: Readonly<Record<string, string>> = {
  attr: "attrs",
  bs4: "beautifulsoup4",
  cv2: "opencv-python-headless",
  dateutil: "python-dateutil",
  docx: "python-docx",
  dotenv: "python-dotenv",
  fitz: "PyMuPDF",
  google: "google-api-python-client",
  jose: "python-jose",
  magic: "python-magic",
  PIL: "Pillow",
  pptx: "python-pptx",
  serial: "pyserial",
  skimage: "scikit-image",
  sklearn: "scikit-learn",
  yaml: "PyYAML",
};

/** The package that a module is most likely in. */
export function packageOf(module: string): string {
  const top = module.split(".")[0] ?? module;
  return packageNames[top] ?? top;
}

/** The lines that a plugin needs at its top so that it gets the packages of these modules (PEP 723). */
export function dependencyLines(modules: readonly string[]): string {
  const names = [...new Set(modules.map(packageOf))];
  // Declared dependencies take the place of the standard environment.
  const all = [...new Set(["pandas", "pyarrow", ...names])];
  return ["# /// script", `# dependencies = [${all.map((name) => `"${name}"`).join(", ")}]`, "# ///"].join("\n");
}
