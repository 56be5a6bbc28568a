/**
 * A hook of Node's module loader. If a module is imported afresh, so is what it
 * imports, so that a corrected file is read wherever it is. Installed packages and
 * this one are not imported afresh, because many cannot be imported twice.
 */

import type { ResolveHook } from "node:module";

/** The key in the URL of a module by which Node takes it for another module. */
export const FRESH = "dirtyd";

const PACKAGE = new URL("..", import.meta.url).href;

export const resolve: ResolveHook = async (specifier, context, next) => {
  const found = await next(specifier, context);
  const attempt = context.parentURL?.startsWith("file:") && new URL(context.parentURL).searchParams.get(FRESH);
  const { url } = found;
  if (!attempt || !url.startsWith("file:") || url.includes("/node_modules/") || url.startsWith(PACKAGE)) return found;
  const fresh = new URL(url);
  fresh.searchParams.set(FRESH, attempt);
  return { ...found, url: fresh.href };
};
