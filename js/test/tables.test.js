import assert from "node:assert/strict";
import { test } from "node:test";
import { likelyTexts, openTable, scoreTable } from "../src/table.js";

const scorer = {
  score: async (texts) => texts.map((text) => (text ? { label: "positive", score: text.length / 1000 } : null)),
};

async function scored(content, column) {
  const table = await openTable(new Blob([content]));
  const result = await scoreTable(table, scorer, column ?? likelyTexts(table));
  const output = new TextDecoder("utf-8", { ignoreBOM: true }).decode(await result.output.arrayBuffer());
  return { ...result, output, rejects: await result.rejects.text() };
}

test("a row keeps its own quotes and line end", async () => {
  const { output, rows } = await scored('id,text\r\n1,"so ""good"", really"\r\n"2",bad one\n\n3,\r\n4,last one');
  const expected =
    'id,text,sentiment,sentiment_score\r\n1,"so ""good"", really",positive,0.017000\r\n"2",bad one,positive,0.007000\n\n' +
    "3,,,\r\n4,last one,positive,0.008000";
  assert.equal(output, expected);
  assert.equal(rows, 4);
});

test("a byte order mark, tabs and line breaks in quotes are kept", async () => {
  const { output, rows } = await scored('\ufefftext\tid\n"two\nlines"\t1\n');
  assert.equal(output, '\ufefftext\tid\tsentiment\tsentiment_score\n"two\nlines"\t1\tpositive\t0.009000\n');
  assert.equal(rows, 1);
});

test("a byte order mark may stand before a quote, and blank lines before the header", async () => {
  const { output, rows } = await scored('\ufeff"some, text","n"\n"good, really",1\n');
  assert.equal(output, '\ufeff"some, text","n",sentiment,sentiment_score\n"good, really",1,positive,0.012000\n');
  assert.equal(rows, 1);
  assert.equal((await scored("\n\ntext,n\ngood one,1\n")).output, "\n\ntext,n,sentiment,sentiment_score\ngood one,1,positive,0.008000\n");
});

test("a header without rows, and rows of one column", async () => {
  assert.equal((await scored("text,n\n")).output, "text,n,sentiment,sentiment_score\n");
  const { output, rows } = await scored('text\ngood one\n""\n\n"a, b"\n');
  assert.equal(output, 'text,sentiment,sentiment_score\ngood one,positive,0.008000\n"",,\n\n"a, b",positive,0.004000\n');
  assert.equal(rows, 3);
});

test("a quote that is not closed costs one line", async () => {
  const lines = [...Array(1000).keys()].map((row) => `${row},${row === 500 ? '"' : ""}good one\n`);
  const { rows, rejects } = await scored(`id,text\n${lines.join("")}`);
  assert.equal(rows, 999);
  const offset = 8 + lines.slice(0, 500).join("").length;
  assert.deepEqual(JSON.parse(rejects), { line: 502, offset, reason: "a quote is not closed", raw: lines[500] });
});

test("lines may end in different ways", async () => {
  const { output, rows } = await scored("id,text\r1,good one\n2,good two\r\n3,good six\r\r4,good ten");
  const expected =
    "id,text,sentiment,sentiment_score\r1,good one,positive,0.008000\n2,good two,positive,0.008000\r\n" +
    "3,good six,positive,0.008000\r\r4,good ten,positive,0.008000";
  assert.equal(output, expected);
  assert.equal(rows, 4);
});

test("a row that is not UTF-8 is in the rejects with its bytes", async () => {
  const parts = ["id,text\n1,na\u00efve one\n2,bad ", new Uint8Array([0xff]), "\n3,good \u{1f600}\n"];
  const table = await openTable(new Blob(parts));
  const { rows, rejected, rejects } = await scoreTable(table, scorer, 1);
  assert.deepEqual([rows, rejected], [2, 1]);
  const raw_base64 = Buffer.from("2,bad \xff\n", "latin1").toString("base64");
  assert.deepEqual(JSON.parse(await rejects.text()), { line: 3, offset: 21, reason: "not UTF-8", raw_base64 });
});

test("titles, a separator and the further headers of a survey are kept", async () => {
  assert.equal((await scored("sep=|\nid|text\n1|good one\n")).output, "sep=|\nid|text|sentiment|sentiment_score\n1|good one|positive|0.008000\n");
  const titled = await scored("Our reviews\n\nid,stars,text\n1,5,good one\n2,4,good two\n");
  assert.equal(titled.rows, 2);
  assert.ok(titled.output.startsWith("Our reviews\n\nid,stars,text,sentiment,sentiment_score\n1,5,good one,positive"));
  const survey = await scored("id,text\nResponse ID,Open-Ended Response\n1,good one\n", 1);
  assert.equal(survey.rows, 1);
  assert.match(survey.output, /Response ID,Open-Ended Response,,\n/);
});

test("a text file that begins with the letters of a format is no such file", async () => {
  assert.equal((await scored("PKEY,text\n1,good one\n")).rows, 1);
});

test("what follows a line with a quote that is not closed is read", async () => {
  const { output, rejects } = await scored('id,text\n1,good one\n2,"not closed\n3,fine now\n');
  assert.equal(output, "id,text,sentiment,sentiment_score\n1,good one,positive,0.008000\n3,fine now,positive,0.008000\n");
  assert.deepEqual(JSON.parse(rejects), { line: 3, offset: 19, reason: "a quote is not closed", raw: '2,"not closed\n' });
});

test("a file of a Macintosh has carriage returns", async () => {
  const { output } = await scored("id;text\r1;not bad\r");
  assert.equal(output, "id;text;sentiment;sentiment_score\r1;not bad;positive;0.007000\r");
});

test("a row that does not fit is left out and reported", async () => {
  const { output, rejects, rejected } = await scored('id,text\n1,good one\n2,too,many\n3,"no" end"\n4,fine now\n');
  assert.equal(output, "id,text,sentiment,sentiment_score\n1,good one,positive,0.008000\n4,fine now,positive,0.008000\n");
  assert.equal(rejected, 2);
  const [first, second] = rejects.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(first, { line: 3, offset: 19, reason: "3 fields instead of 2", raw: "2,too,many\n" });
  assert.deepEqual([second.line, second.reason], [4, "text after a closing quote"]);
});

test("rows in are rows out over the borders of pieces", async () => {
  const long = "häuser 😀 ".repeat(20_000);
  const lines = [...Array(40).keys()].map((row) => `${row},"${long}${row}"`);
  const { output, rows } = await scored(`id,text\n${lines.join("\n")}\n`);
  assert.equal(rows, 40);
  const kept = output.split("\n").slice(1, -1).map((line) => line.replace(/,positive,[\d.]+$/, ""));
  assert.ok(kept.join() === lines.join());
});

test("a file in another encoding is refused, and a cut character rejects its row", async () => {
  const bytes = new Uint8Array([...new TextEncoder().encode("id,text\n1,caf"), 0xe9, 0x0a]);
  await assert.rejects(openTable(new Blob([bytes])), /not UTF-8: sentcli score/);
  const cut = new Uint8Array([...new TextEncoder().encode("id,text\n1,caf"), 0xc3]);
  const { rejects } = await scored(cut, 1);
  assert.deepEqual(JSON.parse(rejects).reason, "not UTF-8");
});

test("other formats are refused by name", async () => {
  await assert.rejects(openTable(new Blob(["PK\x03\x04"])), /workbook/);
  await assert.rejects(openTable(new Blob([""])), /empty/);
});

test("a file that has the new columns is refused", async () => {
  await assert.rejects(scored("text,Sentiment\ngood one,1\n"), /--prefix/);
});

test("the column with the longest texts is likely", async () => {
  const table = await openTable(new Blob(["id,name,text\n7,A. Bee,a very good one\n8,A. Cow,a very bad one\n"]));
  assert.equal(table.columns[likelyTexts(table)], "text");
});
