// A frontend with Relay. What its compiler makes of documents.ts is given to it.
import relay, { type ConcreteRequest } from 'relay-runtime';
import { argumentsOf, faultOf, fetchWith, type Listed, render, type Start } from './screen.ts';

export const startWith =
  (PAGE: ConcreteRequest, RENAME: ConcreteRequest): Start =>
  (url, tenant) => {
    let token = '';
    const send = fetchWith(() => token);
    const environment = new relay.Environment({
      store: new relay.Store(new relay.RecordSource()),
      network: relay.Network.create(async ({ text }, variables) => {
        const body = JSON.stringify({ query: text, variables });
        const response = await send(url, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
        });
        const answer = await response.json();
        // What was refused in part is no page: Relay would take the null for the answer.
        if (answer.errors) throw Object.assign(new Error('refused'), { errors: answer.errors });
        return answer;
      }),
    });
    let shown: Listed | null = null;
    let last: object = {};
    let watched: { dispose(): void } | undefined;
    return {
      useToken(text) {
        token = text;
      },
      async show(page) {
        const variables = { tenant, ...argumentsOf(page, shown, last) };
        try {
          await relay.fetchQuery(environment, PAGE, variables, { fetchPolicy: 'network-only' }).toPromise();
        } catch (error) {
          return render(null, faultOf(error));
        }
        last = variables;
        watched?.dispose();
        const operation = relay.createOperationDescriptor(relay.getRequest(PAGE), variables);
        const read = (data: unknown) => {
          shown = (data as { tenant: { groups: Listed } }).tenant.groups;
          render(shown);
        };
        const snapshot = environment.lookup(operation.fragment);
        const retained = environment.retain(operation);
        const subscribed = environment.subscribe(snapshot, ({ data }) => read(data));
        watched = {
          dispose() {
            subscribed.dispose();
            retained.dispose();
          },
        };
        read(snapshot.data);
      },
      rename: (id, name) =>
        new Promise((resolve, reject) => {
          relay.commitMutation(environment, {
            mutation: RENAME,
            variables: { input: { id, name } },
            onCompleted: () => resolve(),
            onError: reject,
          });
        }),
    };
  };
