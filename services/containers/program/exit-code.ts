/** Docker's `State.ExitCode` of a container whose start failed: as a shell's, and 128 for whatever is no program's fault. */
export function failedStartCode(reason: string): number {
  switch (reason) {
    case "COMMAND_NOT_FOUND":
    case "COMMAND_INTERPRETER_MISSING":
    case "COMMAND_LOADER_MISSING":
    case "COMMAND_HAS_CRLF":
      return 127;
    case "COMMAND_NOT_EXECUTABLE":
    case "COMMAND_WRONG_ARCHITECTURE":
    case "COMMAND_NOT_A_PROGRAM":
      return 126;
    default:
      return 128;
  }
}
