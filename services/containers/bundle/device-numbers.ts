export interface DeviceNumbers {
  readonly major: number;
  readonly minor: number;
}

/** glibc's dev_t: the major in bits 8 to 19 and from 32 on, the minor in the rest. See makedev(3). */
export function deviceNumbers(rdev: number): DeviceNumbers {
  const low = rdev % 2 ** 32;
  const high = Math.floor(rdev / 2 ** 32);
  return {
    major: ((low >>> 8) & 0xfff) | (high & ~0xfff),
    minor: (low & 0xff) | ((low >>> 12) & ~0xff),
  };
}
