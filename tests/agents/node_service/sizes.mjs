// What modules.mjs imports.
export function size(count) {
  if (count > 5) return "many";
  return "few";
}
