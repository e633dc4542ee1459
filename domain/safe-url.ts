/** A URL as it may be shown and logged: the password of its user and passwords among its parameters are replaced by `***`. */
export function safeUrl(url: string): string {
  return hideUserPassword(url).replaceAll(/([?&](?:password|sslpassword|pwd|token|api_?key|secret)=)[^&#]*/gi, "$1***");
}

function hideUserPassword(url: string): string {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(url)?.[0] ?? "";
  const rest = url.slice(scheme.length);
  const authority = /^[^/?#]*/.exec(rest)?.[0] ?? "";
  // A password with an unescaped slash ends the authority too early; then it reaches to the last @ of all.
  const port = /^[^:]*(:\d*)?$/.test(authority);
  const end = authority.includes("@") || port ? authority.lastIndexOf("@") : rest.lastIndexOf("@");
  const colon = rest.indexOf(":");
  if (end < 0 || colon < 0 || colon > end) return url;
  return `${scheme}${rest.slice(0, colon)}:***${rest.slice(end)}`;
}
