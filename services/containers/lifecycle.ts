/** The states of a container, as Docker names them, and the only legal moves between them. */
export type ContainerState = "created" | "running" | "paused" | "restarting" | "exited" | "removing";

/**
 * ```
 * created ──start──▶ running ──exit──▶ exited ──start──▶ running
 *    │                │  ▲  └─exit, policy─▶ restarting ──▶ running
 *    │             pause unpause                │ stop
 *    ▼                ▼  │                      ▼
 * removing ◀──────── paused                  exited
 * ```
 * Every state may move to `removing`; nothing leaves it but the row's end.
 */
const MOVES: Readonly<Record<ContainerState, readonly ContainerState[]>> = {
  created: ["running", "removing"],
  running: ["paused", "restarting", "exited", "removing"],
  paused: ["running", "restarting", "exited", "removing"],
  restarting: ["running", "exited", "removing"],
  exited: ["running", "restarting", "removing"],
  removing: [],
};

export function canMove(from: ContainerState, to: ContainerState): boolean {
  return MOVES[from].includes(to);
}

/** The states from which `to` can be reached: for the `where` of a conditional update. */
export function statesBefore(to: ContainerState): ContainerState[] {
  return (Object.keys(MOVES) as ContainerState[]).filter((from) => canMove(from, to));
}

/** It has a process. */
export function isUp(state: ContainerState): boolean {
  return state === "running" || state === "paused";
}
