/** Something read from the server once, and again when asked. */

export class Resource<T> {
  value: T | null = $state.raw(null);
  problem: unknown = $state.raw(null);
  busy = $state(false);
  #read: () => Promise<T>;

  constructor(read: () => Promise<T>) {
    this.#read = read;
  }

  load = async (): Promise<void> => {
    this.busy = true;
    try {
      this.value = await this.#read();
      this.problem = null;
    } catch (error) {
      this.problem = error;
    } finally {
      this.busy = false;
    }
  };
}
