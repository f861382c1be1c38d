/**
 * Named statements are parsed and planned once per connection: 0.3 ms of the backend's time for one of a few lines. Ours
 * are constants, so the map is bounded.
 */
export class StatementNames {
  readonly #names = new Map<string, string>();

  of(text: string): string {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    const name = `s${this.#names.size}`;
    this.#names.set(text, name);
    return name;
  }
}
