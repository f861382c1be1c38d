import { expect } from "chai";
import { served } from "./served.ts";
import { dataVolume, nginx, nginxImage } from "./specimens.ts";

const none = { nextPageToken: "" };

/** The Docker API over one container, one image and one volume of 4096 bytes that nobody uses. */
function withThings() {
  return served({
    containers: { listContainers: async () => ({ containers: [nginx()], ...none }) },
    images: { listImages: async () => ({ images: [nginxImage()], ...none }) },
    volumes: {
      listVolumes: async ({ withSize }) => {
        const volume = dataVolume();
        return { volumes: [withSize ? { ...volume, sizeBytes: 4096 } : volume], ...none };
      },
    },
    layers: { usage: async () => ({ layerBytes: 200, blobBytes: 100, imageCount: 1, layerCount: 2 }) },
  });
}

describe("the Docker API's disk usage", () => {
  it("is sums since 1.52, with the lists where they are asked for", async () => {
    await using docker = await withThings();
    const { json } = await docker.call("GET", "/v1.52/system/df");
    expect(json).to.have.nested.property("ImageUsage.TotalSize", 200);
    expect(json).to.deep.nested.include({
      VolumeUsage: { ActiveCount: 0, TotalCount: 1, Reclaimable: 4096, TotalSize: 4096 },
    });
    const verbose = await docker.call("GET", "/v1.52/system/df?verbose=1");
    expect(verbose.json).to.have.nested.property("VolumeUsage.Items[0].UsageData.Size", 4096);
    expect(verbose.json).to.have.nested.property("ContainerUsage.Items[0].State", "running");
  });

  it("is lists before that, of the types that are asked for", async () => {
    await using docker = await withThings();
    const { json } = await docker.call("GET", "/v1.44/system/df?type=volume&type=build-cache");
    expect(json).to.deep.include({ Images: null, Containers: null, BuildCache: [], LayersSize: 0 });
    expect(json).to.have.nested.property("Volumes[0].UsageData.RefCount", 0);
    const refused = await docker.call("GET", "/v1.44/system/df?type=nonsense");
    expect([refused.status, refused.json]).to.deep.equal([400, { message: "unknown object type: nonsense" }]);
  });
});
