/** As Java's URLEncoder writes, in UTF-8: letters, digits and `.-*_` stay, a space becomes `+`. */
export function formEncode(text: string): string {
  const escaped = encodeURIComponent(text.toWellFormed()).replace(/[!~'()]/g, hex);
  return escaped.replaceAll('%20', '+');
}

function hex(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
