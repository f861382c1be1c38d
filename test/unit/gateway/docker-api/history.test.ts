import { expect } from "chai";
import { imageHistory } from "../../../../gateway/docker-api/translate/image.ts";
import { nginxImage } from "./specimens.ts";

describe("the Docker API's history of an image", () => {
  it("has the sizes of its layers, and none for what made no layer, newest first", () => {
    const image = { ...nginxImage(), layerSizeBytes: [1_234] };
    expect(imageHistory(image).map(({ CreatedBy, Size }) => [CreatedBy, Size])).to.deep.equal([
      ["CMD nginx", 0],
      ["ADD file", 1_234],
    ]);
  });
});
