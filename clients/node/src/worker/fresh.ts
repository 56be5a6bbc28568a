/**
 * A hook of Node's module loader: what a module that is imported afresh imports,
 * is imported afresh too, so that a corrected file is seen wherever it stands.
 * Installed packages and this one are not; many cannot be imported twice.
 */

import type { ResolveHook } from "node:module";

/** The key in a module's URL that makes it another module for Node. */
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
