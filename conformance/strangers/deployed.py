"""What the files of deploy/ say, for deploy.sh to judge. It knows their form, and none of their values.

  compose FILE            complaints about a compose file, one a line: what would surprise somebody who starts it
  environment FILE DIR    the environment of the Holdfast in a compose file or in manifests, NAME=VALUE a line; files of
                          /run/secrets are read from DIR instead
  manifests FILE          complaints about Kubernetes' manifests: what no schema tells
  blocks FILE DIR         writes each block of YAML in a page of docs/ into DIR, as block-N.yaml
"""
import os
import re
import sys

import yaml

SECRET = re.compile(r"(PASSWORD|SECRET|TOKEN|KEY|URL)$")


def load(path):
    with open(path, encoding="utf-8") as file:
        return [document for document in yaml.safe_load_all(file) if document]


def compose(path):
    (document,) = load(path)
    for name, service in document["services"].items():
        if service.get("restart") != "unless-stopped":
            yield f"{name} does not come back after a restart of the machine"
        tag = service["image"].rpartition(":")[2]
        if "/" in tag or tag == "latest" or ":" not in service["image"]:
            yield f"{name}: {service['image']} is another program every day"
        if "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{name} may gain privileges"
        for variable, value in (service.get("environment") or {}).items():
            if SECRET.search(variable) and not variable.endswith("_FILE"):
                yield f"{name}: {variable} is a secret that stands in the file"
            if variable.endswith("_FILE") and os.path.basename(value) not in service.get("secrets", []):
                yield f"{name}: {variable} names {value}, which is not mounted"
        for port in service.get("ports", []):
            if not port.startswith("127.0.0.1:"):
                yield f"{name}: {port} is open to the network, without TLS"
    for name, secret in document.get("secrets", {}).items():
        if set(secret) != {"file"}:
            yield f"the secret {name} is no file"


def environment(path, secrets):
    for document in load(path):
        if "services" in document:
            yield from document["services"]["holdfast"]["environment"].items()
        elif document["kind"] == "Deployment":
            (container,) = document["spec"]["template"]["spec"]["containers"]
            for each in container["env"]:
                # an identifier out of a Secret, which has no file here: any will do
                yield each["name"], each.get("value", "canary")


def manifests(path):
    documents = load(path)
    named = {(each["kind"], each["metadata"]["name"]) for each in documents}
    for document in documents:
        if document["kind"] not in ("Deployment", "StatefulSet"):
            continue
        template = document["spec"]["template"]
        pod, labels = template["spec"], template["metadata"]["labels"]
        (container,) = pod["containers"]
        if document["spec"]["selector"]["matchLabels"].items() - labels.items():
            yield "the selector does not fit to the pods"
        volumes = {each["name"]: each for each in pod.get("volumes", [])}
        claims = {each["metadata"]["name"] for each in document["spec"].get("volumeClaimTemplates", [])}
        mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
        for name in mounts.keys() - volumes.keys() - claims:
            yield f"{name} is mounted and not there"
        for name in volumes.keys() - mounts.keys():
            yield f"{name} is there and not mounted"
        for volume in volumes.values():
            if "configMap" in volume and ("ConfigMap", volume["configMap"]["name"]) not in named:
                yield f"the ConfigMap {volume['configMap']['name']} is not there"
        for each in container.get("env", []):
            if each["name"].endswith("_FILE") and not each["value"].startswith(mounts.get("secret", "?") + "/"):
                yield f"{each['name']} names a file outside of the Secret"
        for probe in ("livenessProbe", "readinessProbe"):
            if probe not in container:
                yield f"there is no {probe}"
        if not pod["securityContext"].get("runAsNonRoot") or not container["securityContext"].get("readOnlyRootFilesystem"):
            yield "it runs as root, or writes to its image"
        for other in documents:
            if other["kind"] == "Service" and other["spec"]["selector"].items() - labels.items():
                yield "the Service finds no pod"
            if other["kind"] == "PodDisruptionBudget" and other["spec"]["selector"]["matchLabels"].items() - labels.items():
                yield "the PodDisruptionBudget finds no pod"


def blocks(path, directory):
    with open(path, encoding="utf-8") as file:
        found = re.findall(r"^```yaml\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
    for number, text in enumerate(found):
        with open(os.path.join(directory, f"block-{number}.yaml"), "w", encoding="utf-8") as file:
            file.write(text)
    yield f"{len(found)}"


def main(task, *arguments):
    if task == "environment":
        for name, value in environment(*arguments):
            if name.endswith("_FILE"):
                value = os.path.join(arguments[1], os.path.basename(value))
            print(f"{name}={value}")
        return 0
    told = list({"compose": compose, "manifests": manifests, "blocks": blocks}[task](*arguments))
    print("\n".join(told))
    return 1 if told and task != "blocks" else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
