// Reads an AsyncAPI document with the parser of its authors: node asyncapi.cjs FOLDER DOCUMENT; FOLDER has node_modules.
const fs = require("fs");
const [folder, file] = process.argv.slice(2);
const { Parser } = require(`${folder}/node_modules/@asyncapi/parser`);
new Parser().parse(fs.readFileSync(file, "utf8")).then(({ document, diagnostics }) => {
  const wrong = diagnostics.filter((each) => each.severity === 0);
  wrong.forEach((each) => console.log(`${each.path.join("/")}: ${each.message}`));
  process.exit(document && !wrong.length ? 0 : 1);
});
