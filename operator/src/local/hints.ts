/** Three commands to try; what the last one publishes it reads back. */
export function hints(vip: string): string {
  const instance = `${vip}/v1/ns/instance`;
  const configs = `${vip}/v1/cs/configs`;
  return [
    '',
    'all members are up; in another terminal try',
    '',
    `  curl -X POST '${instance}?serviceName=demo&ip=127.0.0.1&port=8848&ephemeral=false'`,
    `  curl '${instance}/list?serviceName=demo'`,
    `  curl -X POST '${configs}' -d 'dataId=demo&group=DEFAULT_GROUP&content=hello' && curl '${configs}?dataId=demo&group=DEFAULT_GROUP'`,
  ].join('\n');
}
