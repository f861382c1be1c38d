import { expect } from "chai";
import {
  attributeText,
  attributeWord,
  byteAttribute,
  decodeAttributes,
  decodeMessages,
  encodeMessage,
  nestedAttribute,
  textAttribute,
  wordAttribute,
} from "../../../../services/networks/netlink/message.ts";

describe("netlink messages", () => {
  it("come back as they were written, several in one datagram", () => {
    const first = { what: "", type: 16, flags: 0x600, body: textAttribute(3, "eth0") };
    const second = { what: "", type: 20, flags: 0, body: byteAttribute(1, 7) };
    const read = decodeMessages(Buffer.concat([encodeMessage(first, 1, 5), encodeMessage(second, 5, 6)]));
    expect(read.map(({ type, flags, sequence }) => [type, flags, sequence])).to.deep.equal([
      [16, 0x601, 5],
      [20, 5, 6],
    ]);
    expect(attributeText(decodeAttributes(read[0]?.body ?? Buffer.alloc(0)).get(3))).to.equal("eth0");
  });

  it("pad attributes to four bytes, the padding not being part of the value", () => {
    const body = Buffer.concat([textAttribute(3, "ctl0"), nestedAttribute(18, wordAttribute(2, 0xfffffffe))]);
    expect(body.length % 4).to.equal(0);
    const attributes = decodeAttributes(body);
    expect(attributes.get(3)?.length).to.equal(5);
    expect(attributeWord(decodeAttributes(attributes.get(18) ?? Buffer.alloc(0)).get(2))).to.equal(0xfffffffe);
  });

  it("that are cut off or lie about their length end the reading", () => {
    const whole = encodeMessage({ what: "", type: 16, flags: 0, body: textAttribute(3, "eth0") }, 0, 1);
    expect(decodeMessages(whole.subarray(0, whole.length - 1))).to.deep.equal([]);
    expect(decodeAttributes(Buffer.from([2, 0, 1, 0]))).to.deep.equal(new Map());
    expect(decodeAttributes(Buffer.from([200, 0, 1, 0, 9, 9]))).to.deep.equal(new Map());
  });
});
