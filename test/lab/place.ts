/** Where one daemon lives: what its `--root`, `--run` and `--instance` name. */
export interface Place {
  readonly root: string;
  readonly run: string;
  readonly instance: string;
}
