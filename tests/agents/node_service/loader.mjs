// A loader that the service has of its own: without it modules.mjs does not find what it imports.
import { register } from "node:module";

const RESOLVES = `export const resolve = (name, context, next) => next(name === "./sizes" ? "./sizes.mjs" : name, context)`;
register(`data:text/javascript,${encodeURIComponent(RESOLVES)}`);
