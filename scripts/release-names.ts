import { published } from "./published.ts";

// The names that a workflow publishes under, as lines for $GITHUB_OUTPUT.

const { version, image, chart } = published();
const charts = chart.replace(/^oci:\/\//, "").replace(/\/[^/]+$/, "");
console.log(`version=${version}\ntag=v${version}\nimage=${image}\ncharts=${charts}`);
