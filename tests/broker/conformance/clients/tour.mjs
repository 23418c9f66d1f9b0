// Copyright (c) 2026, mcpops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// A tour, as tour.py describes it, by the official clients of TypeScript: `node tour.mjs 1|legacy|auto URL`
// (1: SDK 1.x, which knows sessions only; legacy and auto: SDK 2.x in either era).
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [mode, url] = process.argv.slice(2);
const require = createRequire(new URL('../../../../.cache/node/package.json', import.meta.url));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const USER = { username: 'ada', email: 'ada@example.com' };

async function library() {
  if (mode === '1') {
    const { Client } = await load('@modelcontextprotocol/sdk/client/index.js');
    const { StreamableHTTPClientTransport } = await load('@modelcontextprotocol/sdk/client/streamableHttp.js');
    const types = await load('@modelcontextprotocol/sdk/types.js');
    const schemas = {
      'elicitation/create': types.ElicitRequestSchema,
      'sampling/createMessage': types.CreateMessageRequestSchema,
      'roots/list': types.ListRootsRequestSchema,
      'notifications/message': types.LoggingMessageNotificationSchema,
      'notifications/resources/updated': types.ResourceUpdatedNotificationSchema
    };
    return { Client, StreamableHTTPClientTransport, named: (method) => schemas[method], options: {} };
  }
  const { Client, StreamableHTTPClientTransport } = await load('@modelcontextprotocol/client');
  return { Client, StreamableHTTPClientTransport, named: (method) => method, options: { versionNegotiation: { mode } } };
}

const { Client, StreamableHTTPClientTransport, named, options } = await library();
const capabilities = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };
const client = new Client({ name: 'tour', version: '1' }, { capabilities, ...options });
const logs = [];
let changed;
const change = new Promise((resolve) => (changed = resolve));
client.setRequestHandler(named('elicitation/create'), ({ params }) =>
  params.mode === 'url' ? { action: 'accept' } : { action: 'accept', content: USER }
);
client.setRequestHandler(named('sampling/createMessage'), () => ({
  role: 'assistant',
  content: { type: 'text', text: 'blue' },
  model: 'test'
}));
client.setRequestHandler(named('roots/list'), () => ({ roots: [{ uri: 'file:///work' }] }));
client.setNotificationHandler(named('notifications/message'), ({ params }) => void logs.push(params.data));
client.setNotificationHandler(named('notifications/resources/updated'), ({ params }) => changed(params.uri));

const transport = new StreamableHTTPClientTransport(new URL(url));
await client.connect(transport);
const protocol = mode === '1' ? transport.protocolVersion : client.getNegotiatedProtocolVersion();
const modern = protocol >= '2026';
const text = (result) => result.content[0].text;
const call = (name, args = {}, options = {}) =>
  mode === '1'
    ? client.callTool({ name, arguments: args }, undefined, options)
    : client.callTool({ name, arguments: args, ...logging() }, options);
const logging = () => (modern ? { _meta: { 'io.modelcontextprotocol/logLevel': 'info' } } : {});

const seen = { protocol, server: client.getServerVersion().name };
seen.tools = (await client.listTools()).tools.map((tool) => tool.name).sort();
seen.prompts = (await client.listPrompts()).prompts.map((prompt) => prompt.name).sort();
seen.resources = (await client.listResources()).resources.map((resource) => resource.uri).sort();
seen.templates = (await client.listResourceTemplates()).resourceTemplates.map((template) => template.uriTemplate);
seen.text = text(await call('test_simple_text'));
seen.structured = (await call('test_structured', { city: 'Oslo' })).structuredContent;
seen.failed = (await call('test_error_handling')).isError;
seen.headers = JSON.parse(text(await call('test_header_arguments', { region: 'Ås, äst', size: 7 })));
seen.progress = [];
await call('test_tool_with_progress', {}, { onprogress: ({ progress }) => void seen.progress.push(progress) });
await call('test_tool_with_logging');
seen.logs = logs;
seen.read = (await client.readResource({ uri: 'test://static-text' })).contents[0].text;
seen.template = JSON.parse((await client.readResource({ uri: 'test://template/7/data' })).contents[0].text).id;
const prompt = { name: 'test_prompt_with_arguments', arguments: { arg1: 'a', arg2: 'b' } };
seen.prompt = (await client.getPrompt(prompt)).messages[0].content.text;
const ref = { type: 'ref/prompt', name: 'test_prompt_with_arguments' };
seen.completion = (await client.complete({ ref, argument: { name: 'arg1', value: 'par' } })).completion.values;
seen.elicitation = text(await call('test_elicitation', { message: 'Who?' }));
seen.url = text(await call('test_url_elicitation', { url: 'https://login.example/' }));
seen.sampling = text(await call('test_sampling', { prompt: 'Which colour?' }));
seen.roots = text(await call('test_roots'));
seen.rounds = text(await call('test_input_required_result_multi_round'));
seen['asked at once'] = text(await call('test_input_required_result_multiple_inputs'));
const uri = 'test://watched-resource';
const subscription = modern ? await client.listen({ resourceSubscriptions: [uri] }) : await client.subscribeResource({ uri });
await call('test_touch');
seen.updated = await change;
if (modern) await subscription.close();
console.log(JSON.stringify(seen));
await client.close();
process.exit(0);
