"""A Job as Kubernetes writes it (batch/v1, kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1), and a ConfigMap.

Every field that Kubernetes has at these places is here, so that a misspelt one is told from one that cannot be had: what a
field of type Any means, or why it is refused, is in `intent/kubernetes_fields.py`.
"""

# ruff: noqa: N815 - the names are those of Kubernetes

from typing import Annotated, Any, Literal

from pydantic import Field

from suanwang.model.base import Value

Name = Annotated[str, Field(min_length=1, max_length=253)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Quantity = str | int | float
Words = Annotated[tuple[str, ...], Field(max_length=1024)]


class K8sMeta(Value):
    name: Name | None = None
    generateName: Name | None = None
    namespace: Name | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    finalizers: Any = None
    ownerReferences: Any = None
    creationTimestamp: Any = None  # `kubectl create --dry-run -o yaml` writes null
    resourceVersion: Any = None
    uid: Any = None
    generation: Any = None
    managedFields: Any = None
    selfLink: Any = None
    deletionTimestamp: Any = None
    deletionGracePeriodSeconds: Any = None


class K8sKeyRef(Value):
    name: Name
    key: Name
    optional: bool | None = None


class K8sFieldRef(Value):
    fieldPath: Name
    apiVersion: str | None = None


class K8sValueFrom(Value):
    configMapKeyRef: K8sKeyRef | None = None
    secretKeyRef: K8sKeyRef | None = None
    fieldRef: K8sFieldRef | None = None
    resourceFieldRef: Any = None
    fileKeyRef: Any = None


class K8sEnv(Value):
    name: Name
    value: str | None = None
    valueFrom: K8sValueFrom | None = None


class K8sSource(Value):
    name: Name
    optional: bool | None = None


class K8sEnvFrom(Value):
    prefix: str | None = None
    configMapRef: K8sSource | None = None
    secretRef: K8sSource | None = None


class K8sResources(Value):
    requests: dict[str, Quantity] | None = None
    limits: dict[str, Quantity] | None = None
    claims: Any = None


class K8sVolumeMount(Value):
    name: Name
    mountPath: Annotated[str, Field(min_length=2, max_length=1024)]
    readOnly: bool | None = None
    subPath: Any = None
    subPathExpr: Any = None
    mountPropagation: Any = None
    recursiveReadOnly: Any = None


class K8sContainer(Value):
    name: Name
    image: Name
    command: Words | None = None
    args: Words | None = None
    workingDir: Annotated[str, Field(max_length=1024)] | None = None
    env: Annotated[tuple[K8sEnv, ...], Field(max_length=1000)] | None = None
    envFrom: Annotated[tuple[K8sEnvFrom, ...], Field(max_length=100)] | None = None
    resources: K8sResources | None = None
    volumeMounts: Annotated[tuple[K8sVolumeMount, ...], Field(max_length=100)] | None = None
    imagePullPolicy: Any = None
    ports: Any = None
    securityContext: Any = None
    terminationMessagePath: Any = None
    terminationMessagePolicy: Any = None
    stdin: Any = None
    stdinOnce: Any = None
    tty: Any = None
    restartPolicy: Any = None
    resizePolicy: Any = None
    livenessProbe: Any = None
    readinessProbe: Any = None
    startupProbe: Any = None
    lifecycle: Any = None
    volumeDevices: Any = None
    restartPolicyRules: Any = None


class K8sItem(Value):
    key: Name
    path: Annotated[str, Field(min_length=1, max_length=1024)]
    mode: int | None = None


class K8sConfigMapVolume(Value):
    name: Name
    items: tuple[K8sItem, ...] | None = None
    defaultMode: int | None = None
    optional: bool | None = None


class K8sEmptyDir(Value):
    medium: str | None = None
    sizeLimit: Quantity | None = None


class K8sVolume(Value):
    name: Name
    emptyDir: K8sEmptyDir | None = None
    configMap: K8sConfigMapVolume | None = None
    secret: Any = None
    hostPath: Any = None
    persistentVolumeClaim: Any = None
    nfs: Any = None
    csi: Any = None
    projected: Any = None
    downwardAPI: Any = None
    ephemeral: Any = None
    image: Any = None
    iscsi: Any = None
    fc: Any = None
    glusterfs: Any = None
    cephfs: Any = None
    rbd: Any = None
    gitRepo: Any = None
    awsElasticBlockStore: Any = None
    azureDisk: Any = None
    azureFile: Any = None
    gcePersistentDisk: Any = None


class K8sPodSpec(Value):
    containers: Annotated[tuple[K8sContainer, ...], Field(min_length=1, max_length=100)]
    volumes: Annotated[tuple[K8sVolume, ...], Field(max_length=100)] | None = None
    nodeSelector: dict[str, str] | None = None
    priorityClassName: Name | None = None
    activeDeadlineSeconds: Annotated[int, Field(ge=1)] | None = None
    restartPolicy: Literal["Never", "OnFailure"] | None = None
    initContainers: Any = None
    ephemeralContainers: Any = None
    affinity: Any = None
    topologySpreadConstraints: Any = None
    nodeName: Any = None
    hostNetwork: Any = None
    hostPID: Any = None
    hostIPC: Any = None
    hostUsers: Any = None
    hostAliases: Any = None
    hostname: Any = None
    subdomain: Any = None
    setHostnameAsFQDN: Any = None
    shareProcessNamespace: Any = None
    tolerations: Any = None
    serviceAccountName: Any = None
    serviceAccount: Any = None
    automountServiceAccountToken: Any = None
    securityContext: Any = None
    imagePullSecrets: Any = None
    terminationGracePeriodSeconds: Any = None
    dnsPolicy: Any = None
    dnsConfig: Any = None
    schedulerName: Any = None
    priority: Any = None
    preemptionPolicy: Any = None
    enableServiceLinks: Any = None
    readinessGates: Any = None
    runtimeClassName: Any = None
    overhead: Any = None
    os: Any = None
    schedulingGates: Any = None
    resourceClaims: Any = None
    resources: Any = None


class K8sTemplate(Value):
    metadata: K8sMeta | None = None
    spec: K8sPodSpec


class K8sJobSpec(Value):
    template: K8sTemplate
    completions: Count | None = None
    parallelism: Count | None = None
    completionMode: Literal["NonIndexed", "Indexed"] | None = None
    backoffLimit: Count | None = None
    activeDeadlineSeconds: Annotated[int, Field(ge=1)] | None = None
    ttlSecondsAfterFinished: Any = None
    suspend: bool | None = None
    selector: Any = None
    manualSelector: Any = None
    podFailurePolicy: Any = None
    successPolicy: Any = None
    backoffLimitPerIndex: Any = None
    maxFailedIndexes: Any = None
    podReplacementPolicy: Any = None
    managedBy: Any = None


class K8sJob(Value):
    apiVersion: Literal["batch/v1"]
    kind: Literal["Job"]
    metadata: K8sMeta
    spec: K8sJobSpec
    status: Any = None


class K8sConfigMap(Value):
    apiVersion: Literal["v1"]
    kind: Literal["ConfigMap"]
    metadata: K8sMeta
    data: dict[str, str] | None = None
    binaryData: Any = None
    immutable: bool | None = None
