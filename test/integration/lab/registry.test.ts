import { expect } from "chai";
import { testRegistry } from "../../lab/registry.ts";

describe("the lab's registry", () => {
  it("serves the image that was pushed, under the digest that it has", async () => {
    await using registry = await testRegistry();
    const image = await registry.pushBusybox();
    const accept = { headers: { accept: image.index.descriptor.mediaType } };
    const response = await fetch(`${registry.url}/v2/library/busybox/manifests/latest`, accept);
    expect(response.headers.get("docker-content-digest")).to.equal(image.index.descriptor.digest);
    const layer = image.layers[0] ?? expect.fail("no layer");
    const blob = await fetch(`${registry.url}/v2/library/busybox/blobs/${layer.descriptor.digest}`);
    expect((await blob.arrayBuffer()).byteLength).to.equal(layer.descriptor.size);
  });

  it("takes the same image again", async () => {
    await using registry = await testRegistry();
    const [one, other] = [await registry.pushBusybox(), await registry.pushBusybox()];
    expect(one.index.descriptor.digest).to.equal(other.index.descriptor.digest);
  });

  it("is a server of its own for each asker, and can go down", async () => {
    await using one = await testRegistry();
    await using other = await testRegistry();
    expect(one.address).to.not.equal(other.address);
    await one.stop();
    const answer = await fetch(`${one.url}/v2/`).catch((error: Error) => error.message);
    expect(answer).to.equal("fetch failed");
    expect((await fetch(`${other.url}/v2/`)).status).to.equal(200);
  });
});
